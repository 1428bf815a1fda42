"""A notarisation that something ended is finished by the same command, and happens once."""

import json
import secrets
from pathlib import Path

import msgspec
import pytest
from tests.played import CHEAP, PASSPHRASE, open_folder
from tests.running import run_folder
from tests.world import key

from hansa.cli.identity.notarising import add_signed, prepare, save_pending
from hansa.cli.main import main
from hansa.node.home import Home
from hansa.sdk.build import VALIDITY_MS
from hansa.sdk.client import Client
from hansa.sdk.keys import save_key

NORTH, SOUTH = key("north").address, key("south").address


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A node at work, and key files beside it."""
    path = tmp_path_factory.mktemp("place")
    with open_folder(path / "node") as world:
        genesis = world.network.genesis_hash.hex()
    for name in ("north", "south"):
        save_key(path / f"{name}.json", key(name), PASSPHRASE, cost=CHEAP)
    with run_folder(Home(path / "node")) as running:
        (path / "api.key").write_text(running.token)
        yield path, running, genesis


@pytest.fixture
def run(place, capsys, monkeypatch):
    """Run `hansa id evidence`; gives code, JSON and what was complained of."""
    path, running, genesis = place
    monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("HANSA_NODE", running.url)
    monkeypatch.chdir(path)

    def call(*words):
        options = ["--genesis", genesis, "--json"]
        if words[0] != "verify":
            options += ["--api-key-file", "api.key"]
        code = main(["id", "evidence", *map(str, words), *options])
        out, err = capsys.readouterr()
        return code, json.loads(out) if out else out, err

    return call


@pytest.fixture
def papers(tmp_path):
    found = [tmp_path / f"paper{number}.txt" for number in range(2)]
    for path in found:
        path.write_text(f"what {path.name} says")
    return found


@pytest.fixture
def leave(place):
    """Leave what a command that was ended leaves, sent or not."""

    def call(*documents, notary=NORTH, validity_ms=VALIDITY_MS, is_sent=False, **options):
        _, running, genesis = place
        with Client(running.url, genesis, api_key=running.token, believes_clock=True) as client:
            how = {"folder": None, "is_batch": False} | options
            network = client.get_network()
            pending, command = prepare(
                documents, notary, (), network.digest, secrets.token_bytes, **how
            )
            signed = client.sign([key("north")], [command], validity_ms)
            if is_sent:
                assert client.submit(signed.envelope).is_ok is (notary == NORTH)
            pending = add_signed(pending, signed, network)
            return pending, save_pending(pending, documents[0], None)

    return call


def list_pending(papers):
    return [path for path in papers[0].parent.iterdir() if "pending" in path.name]


@pytest.mark.parametrize("is_sent", [False, True])
@pytest.mark.parametrize("is_batch", [False, True])
def test_the_same_command_goes_on_and_puts_nothing_on_record_twice(
    run, papers, leave, is_sent, is_batch
):
    left, _ = leave(*papers, is_sent=is_sent, is_batch=is_batch)
    words = ("notarise", "north.json", *papers, *(["--batch"] if is_batch else []))
    code, found, told = run(*words)
    assert (code, found["tx_id"], "going on" in told) == (0, left.tx_id, True)
    assert list_pending(papers) == []
    for file, item, paper in zip(found["files"], left.items, papers, strict=True):
        code, proved, _ = run("verify", file, paper)
        assert (code, proved["document_ok"], proved["tx_id"]) == (0, True, left.tx_id)
        assert json.loads(Path(file).read_text())["salt"] == item.salt
    assert run(*words)[0] == 2, "it was notarised before"


def test_what_was_written_before_the_end_is_kept(run, papers, leave):
    left, path = leave(papers[0])
    kept = path.read_bytes()
    assert run("notarise", "north.json", papers[0])[0] == 0
    file = papers[0].with_name("paper0.txt.evidence.json")
    made = file.read_bytes()
    path.write_bytes(kept)  # ended before it was removed
    code, found, _ = run("notarise", "north.json", papers[0])
    assert (code, found["tx_id"], file.read_bytes()) == (0, left.tx_id, made)
    assert list_pending(papers) == []


def test_what_can_never_be_on_record_is_dropped_and_begun_anew(run, papers, leave):
    left, _ = leave(papers[0], validity_ms=1)
    code, found, told = run("notarise", "north.json", papers[0])
    assert (code, "nor ever will be" in told) == (0, True)
    assert found["tx_id"] != left.tx_id
    assert list_pending(papers) == []


def test_collecting_needs_no_id(run, papers, leave):
    left, path = leave(*papers)
    code, found, _ = run("collect", path)
    assert (code, found["tx_id"], len(found["files"])) == (0, left.tx_id, 2)
    _, path = leave(papers[0].rename(papers[0].with_name("new.txt")), validity_ms=1)
    code, _, told = run("collect", path)
    assert (code, "notarise anew" in told, path.exists()) == (4, True, False)


@pytest.mark.parametrize("is_sent", [False, True])
def test_what_a_rule_refused_is_told_and_dropped(run, papers, leave, is_sent):
    left, _ = leave(papers[0], notary=SOUTH, is_sent=is_sent)
    words = ("notarise", "north.json", papers[0], "--notary", key("south").address_text)
    code, found, told = run(*words)
    assert (code, found["tx_id"], "nothing was changed" in told) == (3, left.tx_id, True)
    assert sorted(papers[0].parent.iterdir()) == papers


@pytest.mark.parametrize("how", ["changed", "cosigned", "batched", "more", "fewer"])
def test_something_else_waits_until_that_is_finished(run, papers, leave, how):
    _, path = leave(papers[0]) if how == "more" else leave(*papers)
    words = {
        "cosigned": ["--batch", "--cosigner", key("south").address_text],
        "batched": ["--batch"],
    }
    if how == "changed":
        papers[1].write_text("something else")
    documents = papers[:1] if how == "fewer" else papers
    code, _, told = run("notarise", "north.json", *documents, *words.get(how, []))
    assert (code, f"id evidence collect {path}" in told) == (2, True), told
    assert run("collect", path)[0] == 0


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"tx_id": ""}, "earlier version"), ({"genesis": "00" * 32}, "another network")],
)
def test_what_cannot_be_told_apart_is_not_sent(run, papers, leave, changes, told):
    left, path = leave(papers[0])
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(left, **changes)))
    for words in (("notarise", "north.json", papers[0]), ("collect", path)):
        code, _, complaint = run(*words)
        assert (code, told in complaint) == (2, True), complaint
    assert path.exists()


def test_a_name_that_was_taken_and_nothing_more_is_given_back(run, papers):
    papers[0].with_name("paper0.txt-0a1b2c3d.pending.json").touch()
    assert run("notarise", "north.json", papers[0])[0] == 0
    assert list_pending(papers) == []


def test_other_files_of_such_a_name_are_let_be(run, papers):
    other = papers[0].with_name("mine.pending.json")
    other.write_text("{}")
    assert run("notarise", "north.json", papers[0])[0] == 0
    assert other.read_text() == "{}"
