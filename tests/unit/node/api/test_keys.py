"""API keys: shown once, kept as hashes, bound to what their role needs, ended at once."""

from __future__ import annotations

import json
import re
import stat

import msgspec
import pytest
from tests.played import CHEAP, PASSPHRASE, make_folder
from tests.world import key, make_genesis

from hansa.cli.main import main
from hansa.contracts.members import Member
from hansa.contracts.members import Role as LedgerRole
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Invalid, NotFound, Unavailable
from hansa.node.api.keys import EXPIRES_MS_MAX, KeyRing, add_key, list_keys, revoke_key
from hansa.node.api.rights import Right, Role, find_lack
from hansa.node.home import create_home

WALLET = to_text(key("ada").address)
OTHER = to_text(key("bea").address)
MEMBER = to_text(key("north").address)


OPERATORS = {"role": Role.OPERATOR, "wallets": [], "member": MEMBER}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "api-keys.json"


def add(path, name="ada's phone", **more):
    fields = {"role": Role.CUSTOMER, "wallets": [WALLET], "now_ms": 1_000, **more}
    return add_key(path, name=name, **fields)


def test_a_key_is_found_by_its_token_alone(path):
    first, token = add(path)
    _, other = add(path, "another")
    ring = KeyRing(path)
    assert ring.find_token(token) == first
    assert first.secret_sha256 not in token
    swapped = token[: len("hansa-00000000-")] + other[len("hansa-00000000-") :]
    for wrong in (
        swapped,
        token[:-1],
        token + "A",
        token.upper(),
        "",
        "hansa",
        first.id,
        "x" * 999,
    ):
        assert ring.find_token(wrong) is None


def test_the_file_tells_no_secret_and_is_the_owners_alone(path):
    _, token = add(path)
    assert token.rpartition("-")[2] not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(Invalid, match="chmod 600"):
        list_keys(path)
    with pytest.raises(Unavailable):
        KeyRing(path).find_token(token)


def test_a_revoked_key_is_seen_at_once_and_stays_revoked(path):
    entry, token = add(path)
    ring = KeyRing(path)
    assert ring.find_token(token).is_usable(2_000)
    revoke_key(path, entry.id, 3_000)
    assert not ring.find_token(token).is_usable(2_000)
    assert revoke_key(path, entry.id, 9_000).revoked_ms == 3_000
    with pytest.raises(NotFound, match="hansa key api list"):
        revoke_key(path, "00000000", 1)


def test_a_key_ends_at_its_time(path):
    entry, _ = add(path, expires_ms=5_000)
    assert entry.is_usable(4_999)
    assert not entry.is_usable(5_000)


def test_a_damaged_file_lets_nobody_in(path):
    _, token = add(path)
    ring = KeyRing(path)
    for raw in (path.read_bytes()[:-9], b'{"version": "\xc1"}', b"[" * 100_000):
        path.write_bytes(raw)
        with pytest.raises(Unavailable, match="cannot read its API keys"):
            ring.find_token(token)
    path.unlink()
    assert ring.find_token(token) is None


@pytest.mark.parametrize(
    "more",
    [
        {"role": Role.ANYONE, "wallets": []},
        {"wallets": []},
        {"member": MEMBER},
        {"role": Role.OPERATOR, "wallets": []},
        {"role": Role.REGULATOR, "wallets": [WALLET], "member": MEMBER},
        {"wallets": ["hansa1short"]},
        {"wallets": [WALLET[:-1] + ("q" if WALLET[-1] != "q" else "p")]},
        {"rights": [Right.RISK_CONFIRM]},
        {**OPERATORS, "rights": [Right.LEDGER]},
        {**OPERATORS, "rights": [Right.RISK_RELEASE, Right.RISK_CONFIRM]},
        {"name": ""},
        {"name": " \t "},
        {"name": "x" * 65},
        {"expires_ms": -1},
        {"expires_ms": EXPIRES_MS_MAX + 1},
        {"expires_ms": 10**28},
    ],
)
def test_a_key_is_bound_to_what_its_role_needs(path, more):
    with pytest.raises(Invalid):
        add(path, **more)
    assert list_keys(path) == ()


@pytest.mark.parametrize(("name", "fault"), [(" ", "nothing to read"), ("x" * 65, "65 charac")])
def test_a_name_that_tells_nothing_is_refused_in_words(path, name, fault):
    with pytest.raises(Invalid, match=f"the name of the key has {fault}.* 1 to 64 characters"):
        add(path, name)


def test_an_address_may_be_in_upper_case_and_a_wallet_counts_once(path):
    customer, _ = add(path, wallets=[WALLET.upper(), OTHER, WALLET, OTHER.upper()])
    operator, _ = add(path, role=Role.OPERATOR, wallets=[], member=MEMBER.upper())
    assert customer.wallets == (WALLET, OTHER)
    assert operator.member == MEMBER
    assert list_keys(path) == (customer, operator)


def test_a_key_has_the_rights_that_it_was_made_with_and_an_older_one_none(path):
    rights = (Right.RISK_RELEASE, Right.RISK_ATTEST)
    entry, token = add(path, rights=[*rights, Right.RISK_ATTEST], **OPERATORS)
    assert KeyRing(path).find_token(token).rights == entry.rights == rights
    kept = json.loads(path.read_text())
    kept["keys"][0]["rights"] = ["risk_confirm", "risk_release"]
    path.write_text(json.dumps(kept))
    with pytest.raises(Invalid, match="make a key for each"):
        list_keys(path)
    del kept["keys"][0]["rights"]
    path.write_text(json.dumps(kept))
    assert KeyRing(path).find_token(token).rights == ()


def test_a_certificate_has_one_key(path):
    entry, token = add(path, certificate=b"der")
    assert token == ""
    assert KeyRing(path).find_certificate(b"der") == entry
    assert KeyRing(path).find_certificate(b"other") is None
    assert KeyRing(path).find_token(f"hansa-{entry.id}-") is None
    with pytest.raises(Invalid, match="already"):
        add(path, certificate=b"der")


@pytest.fixture
def hansa(capsys):
    """A function that runs a command on keys, and returns its JSON, or its error's."""

    def run(folder, *words, code=0):
        assert main(["key", "api", *words, "--data", str(folder), "--json"]) == code
        out, err = capsys.readouterr()
        return json.loads(err if code else out)

    return run


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """The folder of a node that stopped after a day."""
    return make_folder(tmp_path_factory.mktemp("played") / "node").path


@pytest.mark.parametrize(
    ("role", "member", "said"),
    [
        ("operator", to_text(key("stranger").address), "is no member of this network"),
        ("member", WALLET, "is no member of this network"),
        ("regulator", MEMBER, "has not the role regulator on the ledger"),
        ("central_bank", MEMBER, "has not the role central_bank on the ledger"),
    ],
)
def test_no_key_is_made_that_the_node_would_not_let_in(played, hansa, role, member, said):
    words = ("new", "a key", "--role", role, "--member", member)
    error = hansa(played, *words, code=2)
    assert said in error["message"]
    able = re.findall(r"\((hansa1\w+)\)", error["message"])
    assert able, "the message says with whom it would work"
    assert hansa(played, "list") == {"keys": []}
    made = hansa(played, "new", "a key", "--role", role, "--member", able[0])
    (played / "api-keys.json").unlink()
    assert made["member"] == able[0]


def test_before_the_first_block_the_members_are_those_of_genesis(tmp_path, hansa):
    create_home(tmp_path, make_genesis(), {"node": key("sealer")}, PASSPHRASE, cost=CHEAP)
    words = ("new", "a key", "--role", "operator", "--member")
    assert "is no member" in hansa(tmp_path, *words, WALLET, code=2)["message"]
    assert hansa(tmp_path, *words, MEMBER)["member"] == MEMBER


def test_the_list_tells_which_keys_the_node_does_not_let_in(played, hansa, capsys):
    path = played / "api-keys.json"
    add(path, "fine", role=Role.OPERATOR, wallets=[], member=MEMBER)
    add(path, "no regulator", role=Role.REGULATOR, wallets=[], member=MEMBER)
    add(path, "a customer")
    add(path, "over", role=Role.REGULATOR, wallets=[], member=MEMBER, expires_ms=1)
    listed = hansa(played, "list")["keys"]
    assert main(["key", "api", "list", "--data", str(played)]) == 0
    printed = capsys.readouterr().out
    path.unlink()
    lack = "has not the role regulator on the ledger"
    assert [(each["state"], each["lacks"]) for each in listed] == [
        ("usable", ""),
        ("barred", lack),
        ("usable", ""),
        ("expired", ""),
    ]
    assert printed.count(lack) == 1


@pytest.mark.parametrize("days", ["36501", "99999999", "9" * 5_000, "-1", "1.5", ""])
def test_a_key_is_not_made_that_could_not_be_printed(played, hansa, days):
    words = ("new", "far", "--role", "customer", "--wallet", WALLET, "--days", days)
    assert "from 0 to 36500" in hansa(played, *words, code=2)["message"]
    assert not (played / "api-keys.json").exists()


def test_the_list_survives_an_end_that_is_no_date(played, hansa):
    path = played / "api-keys.json"
    add(path, "near", expires_ms=EXPIRES_MS_MAX)
    path.write_text(path.read_text().replace(str(EXPIRES_MS_MAX), str(EXPIRES_MS_MAX + 1)))
    add(path, "good")
    far, good = hansa(played, "list")["keys"]
    revoked = hansa(played, "revoke", far["id"])
    path.unlink()
    assert "no date" in far["expires"]
    assert good["state"] == "usable"
    assert revoked["state"] == "revoked"


def test_a_suspended_institution_can_have_no_key():
    row = Member(bytes(32), "North", (LedgerRole.OPERATOR,), 0, suspended=False, since_height=0)
    assert find_lack(Role.OPERATOR, row) == find_lack(Role.MEMBER, row) == ""
    gone = msgspec.structs.replace(row, suspended=True)
    assert find_lack(Role.OPERATOR, gone) == find_lack(Role.MEMBER, gone) == "is suspended"


def test_the_command_prints_a_key_once(tmp_path, hansa):
    create_home(tmp_path, make_genesis(), {"node": key("sealer")}, PASSPHRASE, cost=CHEAP)

    words = ("new", "north's books", "--role", "operator", "--member", MEMBER)
    made = hansa(tmp_path, *words, "--right", "risk_release")
    assert made["rights"] == ["risk_release"]
    assert KeyRing(tmp_path / "api-keys.json").find_token(made["key"]).id == made["id"]
    assert hansa(tmp_path, "revoke", made["id"])["state"] == "revoked"
    (listed,) = hansa(tmp_path, "list")["keys"]
    assert (listed["id"], listed["state"]) == (made["id"], "revoked")
    assert "key" not in listed


def test_the_command_says_where_there_is_no_node(tmp_path, capsys):
    assert main(["key", "api", "list", "--data", str(tmp_path)]) == 4
    assert "hansa init" in capsys.readouterr().err
