"""Times of credentials: equal for all of an hour, and none before their issuer was believed."""

import json
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwcrypto.jwk import JWK
from tests.unit.identity.verifier.certifying import certify
from tests.unit.node.identity.formats.playing import write_pem
from tests.unit.node.identity.issuer.foreign_wallet import ForeignWallet
from tests.unit.node.identity.issuer.playing import MEI, PASSPHRASE, make_folder, play

from hansa.identity.encoding.base64url import decode_base64url
from hansa.identity.encoding.cbor import decode_map
from hansa.identity.jose.jws import decode_jws
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key
from hansa.identity.mdoc.documents import decode_security_object, read_issued
from hansa.identity.sd_jwt.serialization import decode_sd_jwt
from hansa.kernel.errors import Invalid
from hansa.node.identity.folders import SIGNING, read_keys
from hansa.node.identity.issuer.folder import open_issuer
from hansa.node.identity.issuer.settings import CredentialFormat, CredentialKind
from hansa.node.identity.issuer.times import DAY_S, HOUR_S, compute_times

NOON_S = 1_795_953_600
NOW_S = NOON_S + 1_234
HOLDER, OTHER = (load_private_key(KeyKind.P256, bytes([each]) * 32) for each in (2, 3))
KIND = CredentialKind(id="a", type="t", name="A", validity_days=30)
BBS = CredentialKind(
    id="b",
    type="t",
    name="B",
    validity_days=30,
    format=CredentialFormat.LDP,
    cryptosuite="bbs-2023",
)
SHORT = CredentialKind(
    id="c", type="t", name="C", validity_days=1, format=CredentialFormat.LDP, cryptosuite="bbs-2023"
)
CERTIFIED_S = 20 * DAY_S
"""For how long those have held that `certify` makes."""
DID = "did:web:city.example"
KINDS = """
[[credentials]]
id = "mdoc"
format = "mso_mdoc"
type = "mo.example.licence.1"
name = "Licence"

[[credentials]]
id = "token"
format = "jwt_vc_json"
type = "ResidentCredential"
name = "Resident"

[[credentials]]
id = "proof"
format = "ldp_vc"
cryptosuite = "ecdsa-jcs-2019"
type = "ResidentCredential"
name = "Resident"

[[credentials]]
id = "bbs"
format = "ldp_vc"
cryptosuite = "bbs-2023"
type = "ResidentCredential"
name = "Resident"
needs_binding = false
revocable = false
"""
moments = st.integers(0, 2**32)


def test_all_of_an_hour_have_its_times_and_of_bbs_all_of_a_day():
    assert compute_times(KIND, NOW_S, 0) == (NOON_S, NOON_S + 30 * DAY_S)
    midnight_s = NOON_S - 12 * HOUR_S
    assert compute_times(BBS, NOW_S, 0) == (midnight_s, midnight_s + 30 * DAY_S)


def test_nothing_is_dated_before_its_issuer_was_believed():
    since_s = NOON_S + 600
    assert compute_times(KIND, NOW_S, since_s) == (since_s, NOON_S + 30 * DAY_S)
    assert compute_times(BBS, NOW_S, since_s).issued_s == since_s
    assert compute_times(KIND, NOW_S + HOUR_S, since_s).issued_s == NOON_S + HOUR_S


def test_who_does_not_know_dates_to_the_second_except_where_that_would_link_showings():
    assert compute_times(KIND, NOW_S, None) == (NOW_S, NOON_S + 30 * DAY_S)
    assert compute_times(BBS, NOW_S, None) == compute_times(BBS, NOW_S, 0)


def test_what_holds_for_a_day_holds_for_most_of_one_also_in_the_evening():
    evening_s = NOON_S + 12 * HOUR_S - 5
    for kind in (SHORT, CredentialKind(id="d", type="t", name="D", validity_days=1)):
        times = compute_times(kind, evening_s, 0)
        assert times.expires_s - times.issued_s == DAY_S
        assert times.expires_s - evening_s > 23 * HOUR_S


@given(st.sampled_from([KIND, BBS, SHORT]), moments, st.none() | moments)
def test_a_time_is_never_ahead_nor_before_the_issuer_was_believed(kind, now_s, since_s):
    times = compute_times(kind, now_s, since_s)
    assert times.issued_s <= now_s < times.expires_s
    assert times.expires_s - now_s <= kind.validity_days * DAY_S
    if since_s is not None:
        assert times.issued_s >= min(since_s, now_s)
        assert times.issued_s in {now_s, since_s} or times.issued_s % HOUR_S == 0


@given(moments, moments, st.integers(0, HOUR_S - 1), st.integers(0, HOUR_S - 1))
def test_what_is_issued_within_an_hour_has_equal_times(hour, since_s, one_s, other_s):
    start_s = hour - hour % HOUR_S
    for kind in (KIND, BBS, SHORT):
        moment_s, later_s = start_s + one_s, start_s + other_s
        if since_s <= min(moment_s, later_s):
            times = compute_times(kind, moment_s, since_s)
            assert times == compute_times(kind, later_s, since_s)


def found(path, head="", more=KINDS, *, is_certified=True, begins_s=NOON_S - DAY_S):
    """Found an office; returns it opened."""
    first = 'certificates = "chain.pem"\n' if is_certified else ""
    make_folder(path, head=first + head, more=more)
    (key,) = read_keys(path, [SIGNING], PASSPHRASE)
    write_pem(path / "chain.pem", certify(key, (begins_s + CERTIFIED_S) * 1_000))
    return open_issuer(path, PASSPHRASE, secrets.token_bytes)


def read_times(credential):
    """Read every time that a credential tells, whatever its format."""
    if isinstance(credential, dict):
        created = credential["proof"].get("created", credential["validFrom"])
        return {credential["validFrom"], created}, credential["validUntil"]
    if "~" in credential:
        claims = json.loads(decode_jws(decode_sd_jwt(credential).jwts[0], "it").payload)
        assert "nbf" not in claims
        return {claims["iat"]}, claims["exp"]
    if credential.count(".") == 2:
        claims = json.loads(decode_jws(credential, "it").payload)
        assert not {"iat", "nbf", "exp"} & set(claims)
        return {claims["validFrom"]}, claims["validUntil"]
    issued = read_issued(decode_map(decode_base64url(credential, "it"), "it"), "it")
    validity = decode_security_object(issued.issuer_auth.payload, "it").validity
    return {validity.signed_ms, validity.valid_from_ms}, validity.valid_until_ms


def issue(service, kind_id, now_s, key=HOLDER):
    """Issue a credential; returns its times."""
    (configuration,) = (each for each in service.protocol.configurations if each.id == kind_id)
    holder = key.public_key if configuration.needs_binding else None
    written = service.write(configuration, "d.0", MEI, holder, now_s * 1_000)
    return read_times(written.credential)


@pytest.mark.parametrize("kind_id", ["resident", "mdoc", "token", "proof", "bbs"])
def test_two_holders_within_an_hour_are_given_equal_times_in_each_format(tmp_path, kind_id):
    service = found(tmp_path / "issuer", 'believed_since = "2026-11-01T00:00:00Z"\n')
    (began,), ends = issue(service, kind_id, NOW_S)
    assert issue(service, kind_id, NOW_S + 1_800, OTHER) == ({began}, ends)
    whole = {1_795_953_600, NOON_S * 1_000, "2026-11-29T12:00:00Z", "2026-11-29T00:00:00Z"}
    assert began in whole
    if kind_id != "bbs":
        assert issue(service, kind_id, NOW_S + HOUR_S) != ({began}, ends)
    listed = service.list_issued(0, 10)
    assert [each.issued.issued_s for each in listed][:2] == [NOW_S, NOW_S + 1_800]
    service.close()


def test_nothing_is_signed_before_its_certificate_began(tmp_path):
    head = 'believed_since = "2026-11-01T00:00:00Z"\n'
    service = found(tmp_path / "issuer", head, begins_s=NOON_S + 900)
    assert issue(service, "mdoc", NOW_S)[0] == {(NOON_S + 900) * 1_000}
    assert issue(service, "resident", NOW_S)[0] == {NOON_S + 900}
    assert issue(service, "proof", NOW_S)[0] == {"2026-11-29T12:00:00Z"}  # it needs none
    service.close()


@pytest.mark.parametrize(
    ("head", "is_certified", "begins"),
    [
        ("", False, NOON_S),
        ("", True, NOW_S),
        (f'did = "{DID}"\nkey_id = "{DID}#1"\n', False, NOW_S),
        (
            f'did = "{DID}"\nkey_id = "{DID}#1"\nbelieved_since = "2026-11-29T12:10:00.5Z"\n',
            False,
            NOON_S + 601,
        ),
        ('believed_since = "2026-11-30T00:00:00Z"\n', False, NOW_S),
    ],
    ids=["key", "certificate", "did", "told", "ahead"],
)
def test_who_is_known_by_its_key_alone_rounds_and_others_when_told(
    tmp_path, head, is_certified, begins
):
    service = found(tmp_path / "issuer", head, "", is_certified=is_certified)
    assert issue(service, "resident", NOW_S)[0] == {begins}
    service.close()


@pytest.mark.parametrize("moment", ["2026-11-01", "soon", "2026-11-01T00:00:00"])
def test_what_is_no_moment_is_told(tmp_path, moment):
    with pytest.raises(Invalid, match="believed_since is no moment with a time zone"):
        found(tmp_path / "issuer", f'believed_since = "{moment}"\n')


def test_all_copies_of_a_batch_bear_the_times_of_a_whole_hour(tmp_path):
    async def scene(office):
        offer = office.offer(needs_tx_code=False)
        wallet, keys = (
            ForeignWallet(office.http),
            [JWK.generate(kty="EC", crv="P-256") for _ in range(4)],
        )
        await wallet.scan(offer.uri)
        await wallet.redeem_offer()
        status, body = await wallet.get_credential(*keys)
        assert status == 200
        copies = [read_times(each["credential"]) for each in body["credentials"]]
        assert copies == [copies[0]] * 4
        (began,), ends = copies[0]
        assert began % HOUR_S == ends % HOUR_S == 0

    play(tmp_path, scene)
