"""`hansa id`: typed as a user would, at a node on which a little of each contract was done."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from aiohttp import web
from tests.faked import BASE, NETWORK, answer_json, make_done, name_sent
from tests.identified import (
    GIVEN,
    HANDED_ON,
    HOLDER,
    ISSUER,
    LIST,
    NORTH,
    PAPER,
    SOUTH,
    play_identity,
)
from tests.played import CHEAP, PASSPHRASE, open_folder
from tests.running import run_fake, run_folder
from tests.world import key

from hansa.cli.main import main
from hansa.identity.encoding.timestamp import write_timestamp
from hansa.identity.methods.hansa import write_did
from hansa.kernel.crypto.address import to_text
from hansa.node.home import Home
from hansa.sdk.keys import save_key

ADA = to_text(key("ada").address)
YEAR = dt.datetime.now(dt.UTC).year
END = f"{YEAR + 6}-01-01T00:00:00Z"
ENCRYPTING = "z6LSbysY2xFMRpGMhb7tFTLMpeuPRaqaWM1yECx2AtzE3KCc"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A node at work, key files beside it, and a time between two versions of a document."""
    path = tmp_path_factory.mktemp("place")
    with open_folder(path / "node") as world:
        between_ms = play_identity(world)
        genesis = world.network.genesis_hash.hex()
    for name in ("north", "south", "issuer", "holder", "ada", "desk"):
        save_key(path / f"{name}.json", key(name), PASSPHRASE, cost=CHEAP)
    with run_folder(Home(path / "node")) as running:
        (path / "api.key").write_text(running.token)
        yield path, running.url, genesis, between_ms


@pytest.fixture
def run(place, capsys, monkeypatch):
    """Run `hansa id`; gives code, JSON and what was complained of."""
    path, url, meant, _ = place
    monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("HANSA_NODE", url)
    monkeypatch.chdir(path)

    def call(*words, as_json=True, is_known=True, genesis=meant):
        options = ["--genesis", genesis]
        if is_known and words[1] != "verify":
            options += ["--api-key-file", "api.key"]
        code = main(["id", *map(str, words), *options, *(["--json"] if as_json else [])])
        out, err = capsys.readouterr()
        return code, json.loads(out) if as_json and out else out, err

    return call


# --- DIDs ----------------------------------------------------------------------------------------


def test_a_did_is_created_shown_updated_and_ended(run, place):
    did = write_did("test", key("ada").address)
    service = ("--service", "desk", "LinkedDomains", "https://ada.example")
    code, sent, _ = run("create", "ada.json", *service, "--also-known-as", "https://ada.example")
    assert (code, sent["status"], sent["did"]) == (0, "OK", did)
    code, _, told = run("create", "ada.json")
    assert code == 3
    _settle(run)
    code, found, _ = run("show", did)
    assert (code, found["didDocument"]["service"][0]["id"]) == (0, f"{did}#desk")
    more = ("--method", "enc", ENCRYPTING, "agree", "--delegate", to_text(NORTH), "assert", END)
    code, _, _ = run("update", "ada.json", "--remove", "desk", *more)
    assert code == 0
    _settle(run)
    code, found, _ = run("show", ADA)
    document = found["didDocument"]
    assert ("service" in document, document["keyAgreement"]) == (False, [f"{did}#enc"])
    assert document["alsoKnownAs"] == ["https://ada.example"], "what is not named stays"
    assert len(document["assertionMethod"]) == 2
    (delegate,) = found["delegates"]
    assert delegate["did"] == write_did("test", NORTH)
    assert (delegate["uses"], delegate["counts"]) == (["assert"], True)
    assert write_timestamp(delegate["until_ms"]) == END
    code, out, _ = run("show", ADA, as_json=False)
    assert "versionId" in out
    assert "proved_as_of" in out
    assert END in out
    code, _, told = run("deactivate", "ada.json")
    assert (code, "say --yes" in told) == (2, True)
    assert run("deactivate", "ada.json", "--yes")[0] == 0
    _settle(run)
    assert run("show", ADA)[1]["didDocumentMetadata"]["deactivated"] is True


def _settle(run):
    """Send what changes nothing until a checkpoint proves all that was done before."""
    height = run("keys", "north.json")[1]["height"]
    for _ in range(500):
        if run("schema", "show", "resident")[1]["proved_as_of"]["height"] >= height:
            return
        run("keys", "north.json")
    raise AssertionError("no checkpoint came")


def test_a_did_is_shown_as_it_was(run, place):
    moment = write_timestamp(place[3])
    code, found, _ = run("show", to_text(ISSUER), "--at", moment)
    assert (code, found["didDocumentMetadata"]["versionId"]) == (0, "1")
    code, _, told = run("show", to_text(ISSUER), "--at", "2020-01-01T00:00:00Z")
    assert (code, "no document on the ledger at 2020" in told) == (4, True)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("show", "did:web:example.com"), 2, "not of the method hansa"),
        (("show", f"did:hansa:other:{ADA}"), 2, "not of the network test"),
        (("show", ADA, "--at", "yesterday"), 2, "no moment with a time zone"),
        (("show", to_text(ISSUER), "--at", "2999-01-01T00:00:00Z"), 2, "has not been yet"),
        (("show", ADA, "--at", "9999-12-31T23:59:59-23:59"), 2, "no moment"),
        (("standing", ADA, "resident", "--at", "2999-01-01T00:00:00Z"), 2, "has not been yet"),
        (("show", to_text(key("nobody").address)), 4, "no document"),
        (("create", "ada.json", "--method", "a", ENCRYPTING, "sing"), 2, "no use of a key"),
        (("create", "ada.json", "--method", "a", "z6", "agree"), 2, "--method"),
        (("create", "ada.json", "--delegate", ADA, "assert", "soon"), 2, "--delegate"),
        (("create", "ada.json", "--service", "n" * 33, "T", "https://a.b"), 2, "no document can"),
        (("update", "issuer.json", "--remove", "nothing"), 2, "the document has none"),
        (("update", "issuer.json"), 2, "this changes nothing"),
        (("update", "desk.json"), 4, "has no document"),
        (("keys", "north.json", "--public-key", "ed25519", "00"), 2, "is none"),
        (("keys", "north.json", "--public-key", "rsa", "00" * 32), 2, "say one of ed25519"),
    ],
)
def test_what_is_wrong_with_a_did_is_told(run, words, code, told):
    found, _, complaint = run(*words)
    assert (found, told in complaint) == (code, True), complaint


# --- types ---------------------------------------------------------------------------------------


def test_a_type_is_published_shown_listed_and_retired(run, place):
    path = place[0]
    (path / "schema.json").write_text('{"type": "object", "properties": {"a": {"type": "string"}}}')
    (path / "display.json").write_text('[{"name": "Licence", "locale": "en"}]')
    code, sent, _ = run(
        *("schema", "publish", "north.json", "licence", "schema.json"), "--display", "display.json"
    )
    assert (code, sent["version"]) == (0, "1")
    _settle(run)
    assert run("schema", "publish", "north.json", "licence", "schema.json")[1]["version"] == "2"
    code, found, _ = run("schema", "show", "licence", "--version", "1")
    assert (code, json.loads(found["display"])[0]["name"]) == (0, "Licence")
    names = [each["name"] for each in run("schema", "list")[1]["types"]]
    assert "resident" in names
    assert "resident  version 2" in run("schema", "list", as_json=False)[1]
    assert run("schema", "retire", "north.json", "licence", "1")[0] == 0
    assert run("schema", "retire", "south.json", "licence", "2")[0] == 3


@pytest.mark.parametrize(
    ("schema", "display", "told"),
    [
        ('{"type": "objekt"}', "[]", "no JSON Schema 2020-12: at $.type"),
        ('{"type": "string"}', "[]", "is of an object"),
        ("[]", "[]", "no JSON Schema"),
        ("{", "[]", "JSON"),
        ('{"type": "object"}', "[1]", "an object with a name"),
    ],
)
def test_what_is_no_type_is_not_sent(run, place, schema, display, told):
    (place[0] / "bad.json").write_text(schema)
    (place[0] / "shown.json").write_text(display)
    words = ("schema", "publish", "north.json", "bad", "bad.json", "--display", "shown.json")
    code, _, complaint = run(*words)
    assert (code, told in complaint) == (2, True), complaint


def test_types_that_are_not_there_are_told(run):
    assert run("schema", "show", "other")[0] == 4
    assert run("schema", "show", "resident", "--version", "9")[0] == 4
    assert run("schema", "show", "No Name")[0] == 2


# --- evidence ------------------------------------------------------------------------------------


@pytest.fixture
def papers(place, tmp_path):
    """Three documents in a folder of the test's own."""
    found = [tmp_path / f"paper{number}.txt" for number in range(3)]
    for number, path in enumerate(found):
        path.write_text(f"paper {number}")
    return found


def test_a_document_is_notarised_cosigned_noted_and_revoked(run, papers, tmp_path):
    paper = papers[0]
    sent = ("evidence", "notarise", "north.json", paper, "--cosigner", to_text(SOUTH))
    code, found, _ = run(*sent)
    file = tmp_path / "paper0.txt.evidence.json"
    assert (code, found["files"]) == (0, [str(file)])
    assert sorted(path.name for path in tmp_path.iterdir() if "pending" in path.name) == []
    assert file.stat().st_mode & 0o777 == 0o600
    code, proved, _ = run("evidence", "verify", file, paper)
    assert (code, proved["document_ok"], proved["is_trusted"]) == (0, True, True)
    code, _, told = run("evidence", "verify", file, papers[1])
    assert (code, "not the document" in told) == (2, True)
    assert run(*sent)[0] == 2, "it was notarised before"
    assert run("evidence", "cosign", "south.json", file)[0] == 0
    assert run("evidence", "cosign", "ada.json", file)[0] == 3
    code, noted, _ = run("evidence", "note", "south.json", file, papers[2])
    assert (code, len(noted["salt"])) == (0, 32)
    assert run("evidence", "revoke", "north.json", file)[0] == 0
    _settle(run)
    code, shown, _ = run("evidence", "show", file)
    assert [each["cosigner"] for each in shown["signed"]] == [to_text(SOUTH)]
    assert [each["hash"] for each in shown["notes"]] == [noted["note_hash"]]
    assert shown["revoked_ms"] > 0
    assert "revoked" in run("evidence", "show", file, as_json=False)[1]


@pytest.mark.parametrize("is_batch", [False, True])
def test_many_documents_are_notarised_together(run, papers, tmp_path, is_batch):
    out = tmp_path / "out"
    words = ["evidence", "notarise", "north.json", *papers, "--out", out]
    code, found, _ = run(*words, *(["--batch"] if is_batch else []))
    assert (code, len(found["files"])) == (0, 3)
    for file, paper in zip(found["files"], papers, strict=True):
        code, proved, _ = run("evidence", "verify", file, paper)
        assert (code, proved["leaves"]) == (0, 3 if is_batch else 0)
    _settle(run)
    code, _, told = run("evidence", "revoke", "north.json", found["files"][0])
    assert (code, "say --all" in told) == ((2, True) if is_batch else (0, False))


def test_what_was_left_pending_is_collected(run, papers, tmp_path):
    code, found, _ = run("evidence", "notarise", "north.json", papers[0])
    file = tmp_path / "paper0.txt.evidence.json"
    made = json.loads(file.read_text())
    item = {"file": str(file), "hash": made["hash"], "salt": made["salt"]}
    pending = tmp_path / "paper0.pending.json"
    pending.write_text(json.dumps({"is_batch": False, "items": [item]}))
    file.unlink()
    assert run("evidence", "collect", pending, found["tx_id"])[0] == 0
    assert run("evidence", "verify", file, papers[0])[0] == 0
    assert not pending.exists()
    pending.write_text("{}")
    code, _, told = run("evidence", "collect", pending, found["tx_id"])
    assert (code, "no file of what is pending" in told) == (2, True)


def test_a_refusal_leaves_no_salts(run, papers, tmp_path):
    code, _, _ = run(*("evidence", "notarise", "north.json", papers[0]), "--notary", to_text(SOUTH))
    assert (code, sorted(tmp_path.iterdir())) == (3, sorted(papers))


@pytest.mark.parametrize("is_answered", [True, False])
def test_salts_stay_until_evidence_files_are_written(place, run, papers, tmp_path, is_answered):
    """Confirmed, and the receipt cannot be had; or what became of it is not known at all."""

    async def post(request):
        found = make_done(name_sent(await request.read()))
        return answer_json(200 if is_answered else 503, found if is_answered else {"title": "X"})

    with run_fake(*BASE, web.post("/v1/transactions", post)) as url:
        words = ("evidence", "notarise", "north.json", papers[0], "--node", url)
        code, _, told = run(*words, is_known=False, genesis=NETWORK.genesis_hash.hex())
    problem = json.loads(told)
    assert (code, problem["error"]) == (6, "Sent")
    (pending,) = [path for path in tmp_path.iterdir() if "pending" in path.name]
    assert problem["pending"] == str(pending)
    assert ("id evidence collect" in problem["message"]) == is_answered
    (item,) = json.loads(pending.read_text())["items"]
    assert pending.stat().st_mode & 0o777 == 0o600
    assert len(item["salt"]) == 32


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("show", PAPER.hex()), 2, "goes with --notary"),
        (("show", "ff" * 32, "--notary", to_text(NORTH)), 4, "no such hash"),
        (("show", "nowhere.json"), 4, "no file"),
        (("verify", "api.key"), 2, "no evidence file"),
        (("notarise", "north.json", "nowhere.txt"), 4, "no file"),
        (("notarise", "north.json", "api.key", "api.key"), 2, "same name"),
        (("notarise", "north.json", "api.key", "ada.json", "--cosigner", ADA), 2, "--batch"),
    ],
)
def test_what_is_wrong_with_evidence_is_told(run, words, code, told):
    found, _, complaint = run("evidence", *words)
    assert (found, told in complaint) == (code, True), complaint


# --- status, accreditation, consent --------------------------------------------------------------


def test_a_status_list_is_created_changed_and_shown(run, place):
    assert run("status", "create", "south.json", "1", "100")[0] == 0
    assert run("status", "revoke", "south.json", "1", "3", "9", "3")[0] == 0
    assert run("status", "suspend", "south.json", "1", "5", "6")[0] == 0
    assert run("status", "reinstate", "south.json", "1", "6")[0] == 0
    assert run("status", "reinstate", "south.json", "1", "3")[0] == 3
    _settle(run)
    code, found, _ = run("status", "show", to_text(SOUTH), "1", "3", "5", "6")
    assert (code, found["entries"]) == (0, {"3": "invalid", "5": "suspended", "6": "valid"})
    out = place[0] / "entries.bin"
    show = ("status", "show", to_text(LIST[0]), str(LIST[1]), "--out")
    code, found, _ = run(*show, out)
    assert (code, found["length"], out.stat().st_size) == (0, 20_000, 5_000)
    code, found, told = run(*show, out)
    assert (code, found, "exists already" in told) == (2, "", True)
    code, found, told = run(*show, place[0] / "nowhere" / "x.bin")
    assert (code, found, "no folder" in told) == (4, "", True)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("status", "show", ADA, "1"), 4, "no list 1"),
        (("status", "show", to_text(LIST[0]), str(LIST[1]), "20000"), 4, "entries 0 to 19999"),
        (("status", "show", ADA, "1", "1048576"), 2, "at most 256 places at once, each below"),
        (("status", "show", ADA, "1", *map(str, range(257))), 2, "at most 256 places"),
        (("status", "create", "south.json", "2", "0"), 2, "1 to 1,048,576"),
        (("status", "revoke", "south.json", "2", "1048576"), 2, "each below"),
        (("accredit", "grant", "north.json", ADA, "x", "--until", END, "--levels", "4"), 2, "most"),
        (("consent", "show", "00" * 32), 4, "no consent"),
        (("consent", "show", "00"), 2, "consent id"),
        (("consent", "revoke", "south.json", GIVEN.hex()), 3, "consent.NOT_A_PARTY"),
    ],
)
def test_what_is_wrong_with_the_others_is_told(run, words, code, told):
    found, printed, complaint = run(*words)
    assert (found, told in complaint + str(printed)) == (code, True), complaint


@pytest.mark.parametrize(
    "words",
    [
        ("consent", "delegate", "ada.json", GIVEN.hex(), ADA, "api.key", "--until", END),
        ("evidence", "note", "ada.json", PAPER.hex(), "api.key", "--notary", to_text(NORTH)),
        ("accredit", "suspend", "south.json", to_text(ISSUER), "resident"),
    ],
)
def test_what_is_refused_is_told_on_standard_error_and_makes_nothing(run, words):
    code, found, told = run(*words)
    assert (code, found["status"]) == (3, "REFUSED")
    assert not {"salt", "consent_id", "note_hash", "did"} & set(found)
    complaint = json.loads(told)
    assert (complaint["error"], complaint["code"]) == ("Refused", found["code"])
    assert found["meaning"] in complaint["message"]
    code, found, told = run(*words, as_json=False)
    assert (code, found) == (3, "")
    assert told.startswith("hansa: nothing was changed: ")


@pytest.mark.parametrize(
    "words",
    [
        ("show", ADA),
        ("consent", "show", "00" * 32),
        ("evidence", "show", "00" * 32, "--notary", ADA),
        ("schema", "list"),
        ("standing", ADA, "resident"),
        ("status", "show", ADA, "1"),
        ("accredit", "suspend", "south.json", ADA, "resident"),
    ],
)
def test_a_node_that_is_not_there_is_unavailable(run, words):
    code, found, told = run(*words, "--node", "http://127.0.0.1:9")
    assert (code, found, json.loads(told)["error"]) == (5, "", "Unavailable")


def test_others_are_accredited_and_judged(run):
    grant = ("accredit", "grant", "north.json", ADA, "resident", "--until", END)
    assert run(*grant)[0] == 0
    _settle(run)
    code, found, _ = run("standing", ADA, "resident")
    assert (code, len(found["chain"]), found["chain"][1]["granter"]) == (0, 2, "network")
    words = ("--reason", "breach", "--decision", "api.key", "0f" * 16)
    assert run("accredit", "suspend", "north.json", ADA, "resident", *words)[0] == 0
    _settle(run)
    code, found, _ = run("standing", ADA, "resident")
    assert (code, found["fault"], found["suspended_since_ms"] > 0) == (1, "suspended", True)
    assert run("accredit", "reinstate", "north.json", ADA, "resident")[0] == 0
    assert run("accredit", "revoke", "north.json", ADA, "resident", "--reason", "ceased")[0] == 0
    assert run("accredit", "grant", "south.json", ADA, "resident", "--until", END)[0] == 3
    code, _, told = run(
        *("accredit", "revoke", "north.json", ADA, "resident"), "--decision", "api.key", "0f"
    )
    assert (code, "32 digits" in told) == (2, True)
    assert (
        "not_yet"
        in run("standing", ADA, "resident", "--at", "2020-01-01T00:00:00Z", as_json=False)[1]
    )


def test_consents_are_given_handed_on_shown_and_revoked(run, place):
    (place[0] / "terms.txt").write_text("name and income, to judge a loan")
    bounds = ("--until", f"{YEAR + 2}-01-01T00:00:00Z", "--uses", "2")
    code, given, _ = run(
        *("consent", "give", "holder.json", to_text(NORTH), "terms.txt"),
        *(*bounds, "--delegations", "1"),
    )
    assert (code, len(given["salt"])) == (0, 32)
    words = ("consent", "delegate", "north.json", given["consent_id"], to_text(SOUTH), "terms.txt")
    code, handed, told = run(*words, *bounds)
    assert code == 0, told
    assert run(*words, "--until", f"{YEAR + 3}-01-01T00:00:00Z", "--uses", "1")[0] == 3
    _settle(run)
    code, shown, _ = run("consent", "show", handed["consent_id"])
    assert (code, shown["state"]) == (0, "in_force")
    assert [each["holder"] for each in shown["chain"]] == [to_text(HOLDER)] * 2
    code, handed, _ = run(*words)
    assert code == 0, "what is not said is as of what is handed on"
    _settle(run)
    last, first = run("consent", "show", handed["consent_id"])[1]["chain"]
    for name in ("from_ms", "until_ms", "uses_max"):
        assert last[name] == first[name]
    assert last["delegations"] == 0
    code, _, told = run(*words[:3], "00" * 32, *words[4:])
    assert (code, "there is no consent" in told) == (4, True)
    code, _, told = run(*words, is_known=False)
    assert (code, "API key" in told) == (2, True)
    assert run("consent", "revoke", "holder.json", given["consent_id"])[0] == 0
    _settle(run)
    assert run("consent", "show", handed["consent_id"])[1]["state"] == "revoked"
    code, _, told = run("consent", "show", HANDED_ON.hex(), is_known=False)
    assert (code, "API key" in told) == (2, True)
