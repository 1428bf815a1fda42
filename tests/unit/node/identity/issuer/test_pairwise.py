"""Names of persons towards operators: the same each time, another one towards each."""

import secrets

import pytest
from tests.unit.node.identity.issuer.playing import MEI, PASSPHRASE, make_folder
from tests.world import key

from hansa.identity.faults import Unsound
from hansa.identity.issuer.configurations import Configuration
from hansa.identity.jose.jws import decode_jws
from hansa.identity.sd_jwt.presentation import open_issued, select_disclosures
from hansa.identity.sd_jwt.serialization import decode_sd_jwt
from hansa.kernel.errors import Invalid
from hansa.node.identity.issuer.folder import open_issuer

NORTH, SOUTH = key("north").address_text, key("south").address_text
PERSON = {**MEI, "resident_number": "1234567(8)"}
NOW_MS = 1_795_953_600_000


def edit(text):
    operators = f'operators = ["{NORTH}", "{SOUTH}"]'
    return text.replace('# operators = ["hansa1…"]', operators).replace("# pairwise", "pairwise")


@pytest.fixture
def folder(tmp_path):
    make_folder(tmp_path / "issuer", edit=edit)
    return tmp_path / "issuer"


LICENCE = """
[[credentials]]
id = "licence"
type = "urn:example:business-licence:1"
name = "Licence"
pairwise_by = "licence_number"

[[credentials]]
id = "pass"
type = "urn:example:pass:1"
name = "Pass"
pairwise_by = "resident_number"
"""


def issue(folder, claims=PERSON, kind="resident"):
    """Issue as the running service does; opened anew each time."""
    service = open_issuer(folder, PASSPHRASE, secrets.token_bytes)
    try:
        (configuration,) = (each for each in service.protocol.configurations if each.id == kind)
        assert isinstance(configuration, Configuration)
        written = service.writer(configuration, "d.0", claims, None, NOW_MS)
        return decode_sd_jwt(written.credential)
    finally:
        service.close()


def names_in(sd_jwt):
    return open_issued(sd_jwt).claims["pairwise_subjects"]


def test_a_person_has_one_name_towards_each_operator_for_good(folder):
    first, again = names_in(issue(folder)), names_in(issue(folder))
    assert first == again
    assert set(first) == {NORTH, SOUTH}
    assert first[NORTH] != first[SOUTH]
    other = names_in(issue(folder, {**PERSON, "resident_number": "7654321(0)"}))
    assert not set(other.values()) & set(first.values())


def test_a_licence_with_a_residents_number_is_not_that_resident(tmp_path):
    """Else the one could keep the other from lifting a wallet, and would pass for it."""
    make_folder(tmp_path / "issuer", edit=edit, more=LICENCE)
    number = PERSON["resident_number"]
    person = names_in(issue(tmp_path / "issuer"))
    shop = names_in(issue(tmp_path / "issuer", {"licence_number": number}, "licence"))
    assert not set(person.values()) & set(shop.values())
    again = names_in(issue(tmp_path / "issuer", {"resident_number": number}, "pass"))
    assert again == person, "another credential of the same person"


def test_another_issuer_gives_other_names(folder, tmp_path):
    make_folder(tmp_path / "other", edit=edit)
    assert names_in(issue(folder)) != names_in(issue(tmp_path / "other"))


def test_each_name_is_shown_by_itself_and_none_stands_open(folder):
    sd_jwt = issue(folder)
    payload = decode_jws(sd_jwt.jwts[0], "it").payload.decode()
    assert "pairwise_subjects" not in payload
    shown = select_disclosures(sd_jwt, [("pairwise_subjects", NORTH)])
    assert set(names_in(shown)) == {NORTH}
    assert SOUTH not in repr(open_issued(shown))


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        (MEI, "resident_number is missing"),
        ({**MEI, "resident_number": ""}, "resident_number"),
        ({**PERSON, "pairwise_subjects": {}}, "pairwise_subjects"),
    ],
)
def test_claims_that_do_not_tell_who_it_is_are_refused_when_they_are_offered(folder, claims, words):
    service = open_issuer(folder, PASSPHRASE, secrets.token_bytes)
    with pytest.raises(Unsound, match=words):
        service.offer([("resident", claims)], NOW_MS, needs_tx_code=False)
    service.close()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (NORTH, "hansa1x", "operators: "),
        (f'operators = ["{NORTH}", "{SOUTH}"]', "", "of use only with operators"),
        ('# format = "dc+sd-jwt" ', 'format = "mso_mdoc" ', "pairwise_by is for"),
    ],
)
def test_settings_that_cannot_be_are_told(folder, old, new, words):
    settings = folder / "issuer.toml"
    text = settings.read_text()
    assert old in text
    if "mdoc" in new:
        text = text.replace("# certificates", "certificates")
    settings.write_text(text.replace(old, new))
    with pytest.raises(Invalid, match=words):
        open_issuer(folder, PASSPHRASE, secrets.token_bytes)
