"""What a clerk remembers, kept now and then."""

from __future__ import annotations

from contextlib import closing

from tests.deciding_desk import CHEAP

from hansa.node.risk.clerk.journal import Journal
from hansa.node.risk.clerk.memory import Memory, restore
from hansa.risk.intake.intake import Taken

LARGE = 6_000


def take_in(memory, count):
    with memory.taking_in() as intake:
        events = [Taken(intake.now_ms, b"a" * 32, b"b" * 32, 5) for _ in range(count)]
        intake.take(events)
        memory.write(events)


def test_payments_are_taken_in_though_there_is_no_room_for_what_is_remembered(tmp_path, caplog):
    with closing(Journal.open(tmp_path / "decisions.db", "secret", cost=CHEAP)) as journal:
        memory = Memory(journal, remembered_events=1)
        connection = journal._file.connection  # noqa: SLF001 - its disk is full
        take_in(memory, LARGE)
        take_in(memory, LARGE)
        ((pages,),) = connection.execute("PRAGMA page_count").fetchall()
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        memory.save_if_large()
        take_in(memory, 1)
        memory.save_if_large()  # not tried again at once
        assert len(caplog.records) == 1
        assert journal.load_remembered()[1] == 0
        connection.execute("PRAGMA max_page_count = 100000")
        take_in(memory, LARGE)
        take_in(memory, LARGE)
        memory.save_if_large()
        assert journal.load_remembered()[1] == restore(journal)[0].next_number == 4 * LARGE + 1
