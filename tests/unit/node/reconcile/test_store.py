"""The file of journals: it does what journals in memory do, lasts, and does not tell."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conftest import IS_SOAK
from tests.streamed import Banks, enter

from hansa.kernel.errors import Corrupt, Invalid, InvalidCode
from hansa.node.reconcile.store import JournalFile
from hansa.passphrases import ScryptCost
from hansa.reconcile.stream.entries import Tagged
from hansa.reconcile.stream.journal import MemoryJournal
from hansa.reconcile.stream.terms import Place

CHEAP = ScryptCost(n=2, r=1, p=1)
PASSPHRASE = "the node's own"
ONE, TWO = b"1" * 32, b"2" * 32
TAGS = [bytes([number]) * 16 for number in range(4)]


def open_file(path, passphrase=PASSPHRASE):
    return JournalFile.open(path, passphrase, secrets.token_bytes, CHEAP)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journals.db"


@pytest.fixture
def file(path):
    found = open_file(path)
    yield found
    found.close()


def make(tag=TAGS[0], amount_minor=1, window=0, entry=b"entry", currency="MOP"):
    return Tagged(window, tag, currency, amount_minor, entry)


windows = st.integers(0, 3)
names = st.sampled_from(["outcome/1", "outcome/2", "outcome", "shown/1/2", "terms", "\U0010fffe"])
added = st.lists(
    st.builds(
        Tagged,
        windows,
        st.sampled_from(TAGS),
        st.sampled_from(["MOP", "HKD"]),
        st.integers(1 - 2**63, 2**63 - 1),
        st.binary(max_size=3),
    ),
    max_size=6,
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), added, st.none() | st.tuples(names, st.binary(max_size=3))),
        st.tuples(st.just("finish"), windows, added, st.lists(names, max_size=2)),
        st.tuples(st.just("put"), names, st.none() | st.binary(max_size=3)),
        st.tuples(st.just("reopen")),
    ),
    max_size=12,
)


def compare(journal, model, tags):
    """Compare all that two journals tell."""
    assert journal.list_windows() == model.list_windows()
    for window in range(5):
        assert journal.count(window) == model.count(window)
        for start, limit in ((0, 100), (1, 2)):
            found = journal.list_postings(window, start, limit)
            assert found == model.list_postings(window, start, limit)
        assert sorted(journal.list_tags(window)) == sorted(model.list_tags(window))
        assert [*journal.list_tagged(window, tags)] == [*model.list_tagged(window, tags)]
        assert journal.sum_up(window, tags) == model.sum_up(window, tags)
    for prefix in ("", "outcome", "outcome/", "shown/", "x"):
        found = journal.list_names(prefix)
        assert found == model.list_names(prefix)
        assert [journal.get(name) for name in found] == [model.get(name) for name in found]


@settings(
    deadline=None,
    max_examples=100 if IS_SOAK else 10,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(st.tuples(st.sampled_from([ONE, TWO]), STEPS), max_size=3),
    st.sets(st.sampled_from(TAGS)),
)
def test_it_does_what_journals_in_memory_do(tmp_path_factory, parts, tags):
    path = tmp_path_factory.mktemp("model") / "journals.db"
    file, models = open_file(path), {}
    for agreement, steps in parts:
        for name, *arguments in steps:
            if name == "reopen":
                file.close()
                file = open_file(path)
                continue
            models.setdefault(agreement, MemoryJournal())
            for journal in (file.open_journal(agreement), models[agreement]):
                getattr(journal, name)(*arguments)
    assert file.list_agreements() == sorted(models)
    for agreement, model in models.items():
        compare(file.open_journal(agreement), model, tags)
    file.close()


def test_banks_reconcile_with_it_though_it_is_opened_anew(file):
    banks = Banks()
    entries = [enter(100, "A"), enter(500, "B")], [enter(-100, "A"), enter(-503, "B")]

    async def run():
        for place in Place:
            banks.journals = file.open_journal(ONE), file.open_journal(TWO)
            banks.streams = tuple(map(banks.open, Place))
            await banks.streams[place].add(entries[place])
            await banks.streams[place].step()
        banks.complete(1)
        await banks.settle_down()

    asyncio.run(run())
    outcome, other = (each.find_outcome(0) for each in banks.streams)
    assert outcome == other
    assert ([each.label for each in outcome.matches], outcome.breaks) == (["near"], ())
    assert [(each.entries, each.net_minor) for each in outcome.nets] == [(2, 600)]
    assert banks.find_window(0).agreed_ms


class KilledError(Exception):
    """The process is killed."""


class Entries:
    """Entries of which the writing is cut off, with a copy of the folder as it then is."""

    def __init__(self, path, count):
        self.path, self.count = path, count

    def __len__(self):
        return self.count

    def __iter__(self):
        for number in range(self.count):
            yield make(TAGS[1], number)
        shutil.copytree(self.path.parent, self.path.parent.parent / "killed")
        raise KilledError


def test_what_is_cut_off_leaves_nothing(tmp_path):
    path = tmp_path / "node" / "journals.db"
    path.parent.mkdir()
    file = open_file(path)
    journal = file.open_journal(ONE)
    journal.add([make(), make()])
    journal.put("shown", b"1")
    with pytest.raises(KilledError):
        journal.finish(0, Entries(path, 2_000), ["shown"])
    killed = open_file(tmp_path / "killed" / "journals.db")
    for each in (journal, killed.open_journal(ONE)):
        assert (each.count(0), each.list_windows()) == (2, [0])
        assert each.get("shown") == b"1"
        each.add([make(window=2)])
    assert killed.secret == file.secret
    file.close()
    killed.close()


def test_a_journal_is_dropped_with_all_that_is_in_it(file):
    for agreement in (ONE, TWO):
        journal = file.open_journal(agreement)
        journal.add([make()])
        journal.put("terms", agreement)
    file.drop_journal(ONE)
    assert file.list_agreements() == [TWO]
    assert file.open_journal(TWO).get("terms") == TWO
    again = file.open_journal(ONE)
    assert (again.list_windows(), again.list_names("")) == ([], [])


def test_the_file_tells_no_contents_and_opens_with_its_passphrase_alone(file, path):
    journal = file.open_journal(ONE)
    journal.add([make(entry=b"whose payment this is", currency="XTS")])
    journal.put("terms", b"the secret of the pair")
    file.close()
    raw = b"".join(each.read_bytes() for each in path.parent.iterdir())
    assert path.stat().st_mode & 0o777 == 0o600
    assert not any(text in raw for text in (b"whose payment", b"the secret", b"XTS"))
    with pytest.raises(Invalid, match=r"journals\.db: wrong passphrase") as caught:
        open_file(path, "another")
    assert caught.value.code is InvalidCode.UNAUTHENTICATED


def test_what_was_changed_is_damaged(file, path):
    journal = file.open_journal(ONE)
    journal.add([make(entry=b"%d" % number) for number in range(2)])
    journal.put("terms", b"terms")
    journal.put("signed", b"signed")
    connection = sqlite3.connect(path)
    for change in (
        "UPDATE entries SET value = (SELECT value FROM entries WHERE number = 1)",
        "UPDATE records SET value = (SELECT value FROM records WHERE name = 'signed')",
        "UPDATE windows SET entries = 1",
    ):
        connection.execute(change)
    connection.commit()
    connection.close()
    for look in (
        lambda: journal.list_postings(0, 0, 1),
        lambda: journal.get("terms"),
        lambda: journal.sum_up(0, []),
    ):
        with pytest.raises(Corrupt, match="damaged"):
            look()
    file.close()
    path.write_bytes(b"something else " * 1_000)
    with pytest.raises(Corrupt, match="put the newest copy back"):
        open_file(path)
