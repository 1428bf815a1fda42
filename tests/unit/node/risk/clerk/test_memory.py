"""What a clerk remembers, kept now and then in a file that a fork of its process writes."""

from __future__ import annotations

import errno
import os
import signal
import time
import tracemalloc
from contextlib import closing, suppress

import pytest
from tests.deciding_desk import CHEAP

from hansa.kernel.errors import Unavailable
from hansa.node.risk.clerk.journal import Journal
from hansa.node.risk.clerk.memory import Memory, restore
from hansa.node.risk.clerk.remembering import RememberedFile, Stamp, Writing
from hansa.risk.intake.intake import Taken

LARGE = 1_000
LONG_S = 20.0


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr("hansa.node.risk.clerk.memory.BYTES_PER_EVENT", 10**9)
    monkeypatch.setattr("hansa.node.risk.clerk.remembering.PART_BYTES", 4_096)


def open_journal(folder, name="decisions.db"):
    return closing(Journal.open(folder / name, "secret", cost=CHEAP))


def take_in(memory, count):
    with memory.taking_in() as intake:
        begin = intake.next_number
        events = [
            Taken(intake.now_ms + at, b"%032d" % at, b"%032d" % (at + 1), begin + at + 1)
            for at in range(count)
        ]
        intake.take(events)
        memory.write(events)


def check_restored(journal, memory, events):
    """What a start remembers is the same, and so many events of it were kept."""
    intake, kept = restore(journal)
    assert kept == events
    assert intake.save() == memory.open().save()


def wait_until(is_so):
    end_s = time.monotonic() + LONG_S
    while not is_so():
        assert time.monotonic() < end_s
        time.sleep(0.005)


def list_partial(folder):
    return list(folder.glob(".*.partial"))


@pytest.mark.parametrize("forks", [False, True])
def test_payments_are_taken_in_though_there_is_no_room_for_what_is_remembered(
    tmp_path, caplog, monkeypatch, forks
):
    with open_journal(tmp_path) as journal:
        memory = Memory(journal, remembered_events=10, forks=forks)
        with monkeypatch.context() as patched:
            patched.setattr(os, "fdatasync", refuse)
            take_in(memory, LARGE)
            memory.save_if_large()
            take_in(memory, 1)
            if forks:
                wait_until(lambda: not told(memory))
            memory.save_if_large()  # not tried again at once
        (record,) = caplog.records
        assert "No space left" in record.getMessage()
        assert (journal.load_remembered(), list_partial(tmp_path)) == (None, [])
        take_in(memory, LARGE)
        memory.save_if_large()
        if forks:
            wait_until(lambda: not told(memory))
        check_restored(journal, memory, 2 * LARGE + 1)
        assert memory._kept_events == 2 * LARGE + 1  # noqa: SLF001


def told(memory):
    memory.save_if_large()
    return memory._writing.is_under_way  # noqa: SLF001


def refuse(_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_payments_go_on_while_a_fork_writes_and_it_has_none_of_them(tmp_path):
    with open_journal(tmp_path) as journal:
        memory = Memory(journal, remembered_events=100, forks=True)
        take_in(memory, 500)
        memory.save_if_large()
        before = memory.open().save()
        take_in(memory, 50)
        wait_until(lambda: journal.load_remembered() is not None)
        assert journal.load_remembered() == (before, 500)
        check_restored(journal, memory, 500)
        memory.save()  # as at the end
        check_restored(journal, memory, 550)


def test_a_writer_that_is_killed_leaves_what_was_and_is_told(tmp_path, caplog):
    with open_journal(tmp_path) as journal:
        memory = Memory(journal, remembered_events=100, forks=True)
        take_in(memory, 200)
        memory.save()
        take_in(memory, 200)
        file, stamp = journal.remembered, journal.find_stamp(400)

        def write(_):
            file.write(bytes(10**6), stamp, lambda: time.sleep(0.05) is None)

        memory._writing.begin(write, 400)  # noqa: SLF001
        wait_until(lambda: list_partial(tmp_path))
        memory.save_if_large()  # one at a time
        os.kill(memory._writing._pid, signal.SIGKILL)  # noqa: SLF001
        wait_until(lambda: not told(memory))
        assert "could not be kept: it ended with -9" in caplog.text
        assert list_partial(tmp_path) == []
        check_restored(journal, memory, 200)
        memory._writing.begin(write, 400)  # noqa: SLF001
        wait_until(lambda: list_partial(tmp_path))
        memory.save()
        assert list_partial(tmp_path) == []
        check_restored(journal, memory, 400)
        (tmp_path / ".decisions.memory.77.partial").touch()  # of a clerk that was killed with it
        Memory(journal)
        assert list_partial(tmp_path) == []


def test_a_writer_ends_with_its_parent_and_holds_nothing_of_its_open(tmp_path):
    with open_journal(tmp_path) as journal:
        file = journal.remembered
        read, write = os.pipe()
        parent = os.fork()
        if parent == 0:
            with suppress(BaseException):
                slow = lambda go_on: file.write(  # noqa: E731
                    bytes(10**7), Stamp(0, b""), lambda: time.sleep(0.02) is None and go_on()
                )
                Writing().begin(slow, 0)
                wait_until(lambda: list_partial(tmp_path))
            os._exit(0)
        os.close(write)
        assert os.read(read, 1) == b""  # at once, though the writer has more to do
        os.close(read)
        assert os.waitpid(parent, 0)[1] == 0
        wait_until(lambda: not list_partial(tmp_path))
        assert journal.load_remembered() is None


@pytest.mark.parametrize("harm", ["cut", "flipped", "longer", "other head", "of another", "newer"])
def test_what_is_not_the_journals_is_taken_in_anew(tmp_path, caplog, harm):
    path = tmp_path / "decisions.memory"
    with open_journal(tmp_path) as journal:
        memory = Memory(journal)
        take_in(memory, 300)
        memory.save()
        raw = bytearray(path.read_bytes())
        if harm == "cut":
            del raw[-1:]
        elif harm == "flipped":
            raw[len(raw) // 2] ^= 1
        elif harm == "longer":
            raw += b"!"
        elif harm == "other head":
            raw[:8] = b"HnsRmem0"
        elif harm == "of another":
            with open_journal(tmp_path, "other.db") as other:
                another = Memory(other)
                take_in(another, 300)
                another.save()
            raw = (tmp_path / "other.memory").read_bytes()
        else:
            take_in(memory, 5)
            memory.save()
            raw = path.read_bytes()
            journal._file.connection.execute("DELETE FROM events WHERE first >= 300")  # noqa: SLF001
    path.write_bytes(raw)
    with open_journal(tmp_path) as journal:
        memory = Memory(journal)
        check_restored(journal, memory, 0)
        assert "all payments are taken in anew" in caplog.text
        memory.save()
        check_restored(journal, memory, 300)


def test_a_copy_that_went_another_way_is_not_taken_for_the_journal(tmp_path):
    with open_journal(tmp_path) as journal:
        take_in(Memory(journal), 100)
    copy = (tmp_path / "decisions.db").read_bytes()
    with open_journal(tmp_path) as journal:
        memory = Memory(journal)
        take_in(memory, 100)
        memory.save()
    (tmp_path / "decisions.db").write_bytes(copy)
    with open_journal(tmp_path) as journal:
        memory = Memory(journal)
        take_in(memory, 150)
        check_restored(journal, memory, 0)


def test_local_time_is_that_of_the_beginning(tmp_path):
    with open_journal(tmp_path) as journal:
        take_in(Memory(journal, zone_offset_ms=3_600_000), 5)
    with open_journal(tmp_path) as journal:
        assert Memory(journal, zone_offset_ms=7_200_000).open().zone_offset_ms == 3_600_000


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / "decisions.memory").mkdir()
    with open_journal(tmp_path) as journal, pytest.raises(Unavailable, match="cannot read"):
        RememberedFile(tmp_path / "decisions.memory", journal._file).load(  # noqa: SLF001
            journal.find_stamp
        )


def test_a_start_takes_less_than_three_times_what_is_remembered(tmp_path):
    with open_journal(tmp_path) as journal:
        memory = Memory(journal)
        take_in(memory, 20_000)
        memory.save()
        size = memory.open().size_bytes
        tracemalloc.start()
        try:
            restore(journal)
            assert tracemalloc.get_traced_memory()[1] < 3 * size
        finally:
            tracemalloc.stop()
