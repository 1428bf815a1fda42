"""An issuer's folder: what its settings and schemas may say, and what is kept across openings."""

import secrets

import pytest
from tests.unit.node.identity.issuer.ledger.playing import DID
from tests.unit.node.identity.issuer.playing import CHEAP, MEI, PASSPHRASE, make_folder

from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.multikey import read_multikey
from hansa.identity.methods.local import write_did_jwk
from hansa.kernel.errors import Invalid, InvalidCode, NotFound
from hansa.node.identity.issuer.folder import create_folder, open_issuer
from hansa.node.identity.issuer.schemas import load_schema
from hansa.node.identity.issuer.settings import load_settings

NOW_MS = 1_795_953_600_000
HEAD = 'url = "https://issuer.example"\nname = "City"\n'
KIND = '[[credentials]]\nid = "resident"\ntype = "urn:r"\nname = "Resident"\n'
ON_LEDGER = f'did = "{DID}"\nkey_id = "{DID}#signing"\n'
LEDGER = f"""
[ledger]
node = "https://node.example"
genesis = "{"ab" * 32}"
key = "office.json"
"""


@pytest.fixture
def folder(tmp_path):
    make_folder(tmp_path / "issuer")
    return tmp_path / "issuer"


def opened(folder, passphrase=PASSPHRASE):
    return open_issuer(folder, passphrase, secrets.token_bytes)


def test_a_folder_is_made_once(folder):
    with pytest.raises(Invalid):
        make_folder(folder)
    assert (folder / "keys.json").stat().st_mode & 0o777 == 0o600


def test_names_of_people_and_odd_letters_stand_as_they_were_given(tmp_path):
    name = 'Amt "für" \\ Dinge 🏛'
    path = tmp_path / "i"
    made = create_folder(
        path,
        url="https://i.example",
        name=name,
        passphrase="p",
        draw=secrets.token_bytes,
        cost=CHEAP,
    )
    assert made.settings.name == name
    key = read_multikey(made.key)
    assert made.did == write_did_jwk(key)
    make = {"name": "x", "passphrase": "p", "draw": secrets.token_bytes, "cost": CHEAP}
    with pytest.raises(Invalid):
        create_folder(tmp_path / "j", url="http://i.example", **make)
    assert list((tmp_path / "j").iterdir()) == []


def test_it_opens_with_its_passphrase_alone(folder):
    opened(folder).close()
    with pytest.raises(Invalid) as caught:
        opened(folder, "another")
    assert caught.value.code is InvalidCode.UNAUTHENTICATED


def test_an_offer_outlasts_the_process(folder):
    desk = opened(folder)
    made = desk.offer([("resident", None)], NOW_MS, needs_tx_code=True)
    desk.close()
    again = opened(folder)
    again.complete(made.datasets[0], MEI, NOW_MS)
    with pytest.raises(NotFound):
        again.complete(made.datasets[0], MEI, NOW_MS)
    with pytest.raises(NotFound):
        again.decline("none.0", "", NOW_MS)
    again.close()


@pytest.mark.parametrize(
    "claims",
    [
        {},
        MEI | {"birthdate": "1990-13-01"},
        MEI | {"age": 3},
        MEI | {"address": {"country": "Germany"}},
        MEI | {"given_name": 1},
    ],
)
def test_claims_must_fit_the_schema(folder, claims):
    desk = opened(folder)
    with pytest.raises(Unsound) as caught:
        desk.offer([("resident", claims)], NOW_MS, needs_tx_code=False)
    assert caught.value.fault is Fault.SCHEMA
    assert "resident.schema.json" in caught.value.message
    desk.close()


def test_claims_cannot_be_what_the_credential_itself_sets(tmp_path):
    path = tmp_path / "issuer"
    make_folder(path)
    text = (path / "issuer.toml").read_text()
    (path / "issuer.toml").write_text(text.replace('schema = "resident.schema.json"\n', ""))
    desk = opened(path)
    for claims in ({"exp": 1}, {"status": {}}, {"_sd": []}):
        with pytest.raises(Unsound):
            desk.offer([("resident", claims)], NOW_MS, needs_tx_code=False)
    with pytest.raises(NotFound):
        desk.offer([("licence", {})], NOW_MS, needs_tx_code=False)
    with pytest.raises(NotFound):
        desk.revoke(1, NOW_MS)
    desk.close()


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (KIND, "url"),
        (HEAD, "credentials"),
        (HEAD + "x = 1\n" + KIND, "x is no name"),
        (HEAD + KIND + KIND, "two have one id"),
        (HEAD.replace("https", "http") + KIND, "must be https"),
        (HEAD.replace(".example", ".example/path") + KIND, "no path"),
        (HEAD.replace(".example", ".example/") + KIND, "no path"),
        (HEAD.replace("https://issuer.example", "https://u@issuer.example") + KIND, "no path"),
        (HEAD.replace("https://issuer.example", "https://[") + KIND, "must be like"),
        (HEAD + 'did = "did:web:x"\n' + KIND, "go together"),
        (HEAD + 'did = "x"\nkey_id = "x"\n' + KIND, "DID"),
        (HEAD + 'profile = "haip"\n' + KIND, "makers"),
        (HEAD + 'profile = "high"\n' + KIND, "profile"),
        (HEAD + KIND + "validity_days = 0\n", "validity_days"),
        (HEAD + KIND + "[clients]\nw = []\n", "clients.w"),
        (HEAD + KIND + '[clients]\nw = ["javascript:x"]\n', "clients.w"),
        (HEAD + KIND + '[clients]\nw = ["http://wallet.example"]\n', "clients.w"),
        (HEAD + KIND + '[clients]\nw = ["/back"]\n', "clients.w"),
        (HEAD + KIND + '[makers]\nm = { kty = "oct" }\n', "makers.m"),
        (HEAD + KIND + '[status]\nurl = "http://x.example"\n', "status.url"),
        (HEAD + LEDGER + KIND, "did of the ledger"),
        (HEAD + ON_LEDGER + LEDGER.replace("https", "http") + KIND, "ledger.node"),
        (HEAD + ON_LEDGER + LEDGER + "[status]\nlength = 2097152\n" + KIND, "status.length"),
        (HEAD + ON_LEDGER + LEDGER + '[status]\nurl = "https://x.example"\n' + KIND, "status.url"),
        (HEAD + ON_LEDGER.replace("hansa1", "hansa2") + LEDGER + KIND, "did:"),
        (HEAD + KIND + "anchor = true\n", "anchor"),
        ("[", "TOML"),
        ("\x00", "TOML"),
    ],
)
def test_settings_that_cannot_be_are_told(tmp_path, text, word):
    path = tmp_path / "issuer.toml"
    path.write_text(text)
    with pytest.raises(Invalid) as caught:
        load_settings(path)
    assert word in caught.value.message
    assert str(path) in caught.value.message


def test_wallets_may_have_schemes_of_their_own(tmp_path):
    path = tmp_path / "issuer.toml"
    path.write_text(HEAD + KIND + '[clients]\nw = ["org.wallet:/back", "http://localhost:1/b"]\n')
    assert load_settings(path).clients["w"][0] == "org.wallet:/back"


@pytest.mark.parametrize(
    "schema",
    [
        "[]",
        "{",
        '{"type": 3}',
        '{"$schema": "http://json-schema.org/draft-07/schema#"}',
        '{"$ref": "https://elsewhere.example/schema"}',
        '{"properties": {"a": {"$ref": "other.json"}}}',
        '{"properties": {"a": {"$ref": "#/$defs/none"}}}',
        '{"properties": {"a": {"$id": "https://x.example"}}}',
        '{"allOf": [{"$dynamicRef": "#a"}]}',
        '{"properties": {"a": {"$ref": "#a"}}}',
    ],
)
def test_a_schema_leads_nowhere_outside(tmp_path, schema):
    path = tmp_path / "schema.json"
    path.write_text(schema)
    with pytest.raises(Invalid):
        load_schema(path)


def test_a_schema_may_refer_to_its_own_parts(tmp_path):
    path = tmp_path / "schema.json"
    path.write_text(
        '{"$id": "https://x.example/s", "$defs": {"n/a": {"type": "integer"}},'
        '"properties": {"a": {"$ref": "#/$defs/n~1a"}, "b": {"$ref": "#"}}}'
    )
    check = load_schema(path)
    check({"a": 1, "b": {"a": 2}})
    for claims in ({"a": "1"}, {"b": {"a": ""}}):
        with pytest.raises(Unsound):
            check(claims)


def test_a_schema_that_goes_in_circles_refuses(tmp_path):
    path = tmp_path / "schema.json"
    path.write_text('{"$ref": "#"}')
    with pytest.raises(Unsound):
        load_schema(path)({})


def test_keys_of_another_issuer_are_noticed(folder, tmp_path):
    make_folder(tmp_path / "other")
    own = (folder / "keys.json").read_bytes()
    (folder / "keys.json").write_bytes((tmp_path / "other" / "keys.json").read_bytes())
    for _ in range(2):
        with pytest.raises(Invalid, match="put back the file that belongs to this folder"):
            opened(folder)
    (folder / "keys.json").write_bytes(own)
    opened(folder).close()


def test_records_of_another_issuer_are_noticed(folder, tmp_path):
    make_folder(tmp_path / "other")
    (folder / "records.db").write_bytes((tmp_path / "other" / "records.db").read_bytes())
    with pytest.raises(Invalid, match="not the keys with which"):
        opened(folder)


@pytest.mark.parametrize(
    ("url", "more", "place"),
    [
        ("http://127.0.0.1:9000", "", ("127.0.0.1", 9_000)),
        ("http://localhost", "", ("127.0.0.1", 80)),
        ("http://[::1]:9000", "", ("::1", 9_000)),
        ("https://i.example:9000", "", ("127.0.0.1", 8_470)),
        ("http://127.0.0.1:9000", "listen = { port = 9001 }\n", ("127.0.0.1", 9_001)),
        ("https://i.example", 'listen = { host = "::" }\n', ("::", 8_470)),
    ],
)
def test_it_listens_where_its_wallets_come(tmp_path, url, more, place):
    path = tmp_path / "issuer.toml"
    path.write_text(f'url = "{url}"\nname = "City"\n{more}{KIND}')
    assert load_settings(path).place == place


def test_the_lists_of_an_issuer_on_the_ledger_are_named_as_there(tmp_path):
    path, text = tmp_path / "issuer.toml", HEAD + ON_LEDGER + LEDGER
    path.write_text(text + KIND + "anchor = true\n")
    found = load_settings(path)
    tail = f"/status-lists/{DID.rpartition(':')[2]}"
    assert found.lists.locate(1) == f"{found.url}/status{tail}/1"
    forms = ("Ed25519", "revocation")
    assert found.lists.locate(1, *forms) == f"{found.url}/status/Ed25519/revocation{tail}/1"
    assert found.lists.is_ours
    path.write_text(text + f'[status]\nurl = "https://cdn.example{tail}"\n' + KIND)
    elsewhere = load_settings(path).lists
    assert elsewhere.locate(1, *forms) == f"https://cdn.example{tail}/1"
    assert not elsewhere.is_ours
