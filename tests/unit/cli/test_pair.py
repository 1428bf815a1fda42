"""`hansa pair`: two banks from terms to a settled position, as their officers type it."""

from __future__ import annotations

import json

import pytest
from tests.pair_desks import run_desks
from tests.played import CHEAP, PASSPHRASE
from tests.streamed import RULES
from tests.world import key

from hansa.cli.main import main
from hansa.sdk.keys import save_key

MAP = """
[columns]
account = "account"
currency = "currency"
amount = "amount"
booking_date = "date"
reference = "reference"

[amounts]
decimal = "."
"""
NORTH = [("1.00", "A"), ("0.40", "B"), ("0.07", "C")]
SOUTH = [("-1.00", "A"), ("-0.43", "B")]
FRAGMENT = ("--currency", "MOP", "--encoding", "cp850", "--quarantine", "left-out.jsonl")
PROPOSED = ("--with", "south", "--settle", "MOP", "--keep-days", "30")


@pytest.fixture(scope="module")
def desks(tmp_path_factory):
    with run_desks(tmp_path_factory.mktemp("desks")) as desks:
        yield desks


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With keys, rules and statements."""
    path = tmp_path_factory.mktemp("bank")
    for name in ("north", "north 2", "south", "south 2"):
        save_key(path / f"{name}.json", key(name), PASSPHRASE, cost=CHEAP)
    (path / "rules.toml").write_text(RULES)
    (path / "map.toml").write_text(MAP)
    (path / "fragment.sta").write_text(":20:1\n:25:1\n:28C:1\n:61:260302C1,00NTRFA\n:62F:")
    for name, rows in (("north", NORTH), ("south", SOUTH)):
        lines = [f"1,MOP,{amount},2026-03-02,{reference}" for amount, reference in rows]
        text = "\n".join(["account,currency,amount,date,reference", *lines])
        (path / f"{name}.csv").write_text(f"{text}\n")
    return path


@pytest.fixture
def run(desks, folder, monkeypatch, capsys):
    """Run `hansa pair` at a bank's desk, signed by its officers; gives code, JSON, complaint."""
    monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)
    monkeypatch.chdir(folder)

    def call(at, *words, by=(), as_json=True):
        desk = desks.banks[at]
        monkeypatch.setenv("HANSA_API_KEY", desk.token)
        keys = [word for each in by for word in ("--key", f"{desk.name}{each}.json")]
        options = ["--node", desk.url, *(["--json"] if as_json else [])]
        code = main(["pair", *words, *keys, *options])
        out, err = capsys.readouterr()
        return code, json.loads(out) if as_json and out else out, err

    return call


@pytest.fixture
def agreed(run):
    """An agreement in force."""
    code, found, _ = run(0, "propose", "--rules", "rules.toml", *PROPOSED, by=[""])
    assert code == 0
    assert run(1, "accept", found["agreement"], by=[""])[0] == 0
    return found["agreement"]


def test_an_agreement_is_accepted_ended_or_declined(run, agreed):
    code, _, complaint = run(0, "accept", agreed, by=[""])
    assert (code, "agreements.NOT_YOURS_TO_ACCEPT" in complaint) == (3, True)
    code, found, _ = run(1, "show", agreed)
    assert (code, found["place"], found["on_ledger"]["state"]) == (0, "right", "in_force")
    assert run(1, "show", agreed, "--rules", as_json=False)[1].strip() == RULES.strip()
    assert agreed in run(0, "list", as_json=False)[1]
    assert run(0, "end", agreed, by=[" 2"])[0] == 0
    code, _, complaint = run(1, "end", agreed, by=[""])
    assert (code, "agreements.WRONG_STATE" in complaint) == (3, True)
    side = ("--side", "theirs", "--bank", "north")
    proposing = ("propose", "--rules", "rules.toml", *PROPOSED, *side)
    code, found, _ = run(0, *proposing, by=[" 2"])
    assert code == 0
    assert run(0, "show", found["agreement"])[1]["place"] == "right"
    assert "has yet to accept" in run(0, "list", as_json=False)[1]
    assert run(1, "decline", found["agreement"], by=[""])[0] == 0
    again = ("propose", "--shared", found["agreement"])
    assert run(0, *again, by=[""])[1]["agreement"] == found["agreement"]
    assert run(0, "decline", found["agreement"], by=[""])[0] == 0
    code, _, complaint = run(0, *again, "--with", "south", by=[""])
    assert (code, "go together" in complaint) == (2, True)


def test_banks_come_from_files_to_a_settled_position(run, desks, agreed):
    name = bytes.fromhex(agreed)
    north, south = desks.paired.services
    code, found, _ = run(0, "add", agreed, "north.csv", "--map", "map.toml")
    assert (code, found["entries"], found["added"], found["added_before"]) == (0, 3, 3, 0)
    _, found, _ = run(0, "add", agreed, "north.csv", "--map", "map.toml")
    assert (found["added"], found["added_before"]) == (0, 3)
    assert run(1, "add", agreed, "south.csv", "--map", "map.toml")[1]["added"] == 2
    assert "No window is closed" in run(0, "breaks", agreed, as_json=False)[1]
    code, found, _ = run(0, "complete", agreed, "0")
    assert (code, found["last_day"]) == (0, "2026-03-02")
    assert run(1, "complete", agreed, "--before", "2026-03-03")[1] == found
    desks.wait_for(lambda: any(row and row.is_agreed for _, _, row in north.list_positions(name)))
    desks.wait_for(lambda: south.list_breaks(name))

    code, found, _ = run(
        0, "breaks", agreed, "--class", "missing_right", "--currency", "MOP", "--age", "2"
    )
    [broken] = found["breaks"]
    assert (code, broken["left"][0]["reference"]) == (0, "C")
    assert run(0, "breaks", agreed, "--class", "amount")[1]["breaks"] == []
    assert "0.07 MOP" in run(1, "breaks", agreed, as_json=False)[1]
    resolve(run, desks, agreed, broken["id"])

    _, found, _ = run(1, "positions", agreed)
    [position] = found["positions"]
    assert (position["net_minor"], position["state"]) == ("140", "signed by both")
    assert "south owes 1.40 MOP" in run(0, "positions", agreed, as_json=False)[1]
    code, _, complaint = run(0, "settle", agreed, "0", "MOP", by=[""])
    assert (code, "south owes it" in complaint) == (2, True)
    code, found, _ = run(1, "settle", agreed, "0", "MOP", by=[""])
    assert (code, found["amount"]) == (0, "1.40 MOP")
    assert "settled" in run(0, "positions", agreed, as_json=False)[1]
    code, _, complaint = run(1, "settle", agreed, "0", "MOP", by=[" 2"])
    assert (code, "is settled already" in complaint) == (2, True)


def resolve(run, desks, agreed, case):
    """Resolve a break with four eyes of each bank."""
    south = desks.paired.services[1]
    proposing = ("case", "propose", agreed, case, "--kind", "correct", "--words", "We book it")
    code, found, _ = run(0, *proposing, "--amount", "7", by=[""])
    assert code == 0
    terms = found["terms"]
    desks.wait_for(lambda: south.list_proposals(bytes.fromhex(agreed), bytes.fromhex(case)))
    code, _, complaint = run(0, *proposing, by=[""])
    assert (code, "something is proposed already" in complaint) == (2, True)
    for step, code, told in (
        ((0, "confirm", agreed, case), 2, "nothing was signed: read what is proposed"),
        ((0, "confirm", agreed, case, "--terms", "00" * 32), 2, "what is proposed now is"),
        ((0, "confirm", agreed, case, "--terms", terms), 3, "cases.SAME_OFFICER"),
    ):
        at, *words = step
        found = run(at, "case", *words, by=[""])
        assert (found[0], told in found[2]) == (code, True), found
    assert run(0, "case", "confirm", agreed, case, "--terms", terms, by=[" 2"])[0] == 0
    assert "We book it" in run(1, "case", "show", agreed, case, as_json=False)[1]
    assert run(1, "case", "decline", agreed, case, by=[""])[0] == 0
    code, found, _ = run(0, *proposing, by=["", " 2"])
    terms = found["terms"]
    assert run(0, "case", "withdraw", agreed, case, by=[""])[0] == 0
    code, found, _ = run(0, *proposing, by=["", " 2"])
    assert code == 0
    terms = found["terms"]
    desks.wait_for(lambda: len(south.list_proposals(*map(bytes.fromhex, (agreed, case)))) == 3)
    accepting = ("case", "accept", agreed, case, "--terms", terms)
    assert run(1, *accepting, by=["", " 2"])[0] == 0
    _, found, _ = run(0, "case", "list", agreed, "--state", "resolved")
    assert [each["id"] for each in found["cases"]] == [case]
    assert run(0, "breaks", agreed, "--case", "without")[1]["breaks"] == []


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("accept", "12", "--key", "north.json"), 2, "no id of an agreement"),
        (("accept", "12" * 32, "--key", "north.json"), 4, "no agreement"),
        (("accept", "12" * 32), 2, "--key"),
        (("complete", "12" * 32), 2, "window"),
        (("add", "12" * 32, "north.csv"), 2, "mapping"),
        (("add", "12" * 32, "north.csv", "--map", "map.toml"), 4, "no agreement"),
        (("add", "12" * 32, "fragment.sta"), 2, "no field before it tells the currency"),
        (("add", "12" * 32, "fragment.sta", *FRAGMENT), 4, "no agreement"),
        (("case", "show", "12" * 32, "1"), 2, "no id of a case"),
        (("breaks", "12" * 32, "--class", "amuont"), 2, "choose from 'ambiguous', 'duplicate'"),
    ],
)
def test_mistakes_say_what_to_do(run, words, code, told):
    found, _, complaint = run(0, *words)
    assert (found, told in complaint) == (code, True), complaint


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--settle", "EUR"), "there is MOP"),
        (("--side", "mine"), "but ours, theirs"),
        (("--keep-days", "0"), "choose 1 to 3660"),
    ],
)
def test_terms_that_cannot_be_are_not_shared(run, words, told):
    proposing = ("propose", "--rules", "rules.toml", "--with", "south", *words)
    code, _, complaint = run(0, *proposing, by=[""])
    assert (code, told in complaint) == (2, True), complaint


def test_a_date_with_a_mistaken_year_is_not_added(run, folder, agreed):
    """It could not be taken back, and would wait for a window that nobody lives to see."""
    lines = (folder / "north.csv").read_text().splitlines()
    far = lines[1].replace("2026", "9999")
    (folder / "far.csv").write_text("\n".join([*lines, far]))
    code, _, complaint = run(0, "add", agreed, "far.csv", "--map", "map.toml")
    assert (code, "far.csv, line 5 is dated 9999-03-02" in complaint) == (2, True), complaint
    assert [each["waiting"] for each in run(0, "show", agreed)[1]["windows"]] == [0]


def test_terms_that_are_shared_before_a_key_is_refused_are_told(run):
    """The other bank has them: that nothing was changed is true of the ledger alone."""
    proposing = ("propose", "--rules", "rules.toml", *PROPOSED, "--bank", "north")
    code, _, complaint = run(0, *proposing, "--key", "south.json", as_json=False)
    pairs = run(0, "list")[1]["pairs"]
    shared = [each["agreement"] for each in pairs if each["on_ledger"] is None]
    assert code == 3
    assert any(f"propose --shared {each} --key" in complaint for each in shared), complaint
