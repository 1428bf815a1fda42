"""What of the journal pages are filled from: decisions in order, tallies by hour, labels."""

from __future__ import annotations

from contextlib import closing
from itertools import pairwise

import pytest
from tests.deciding_desk import CHEAP

from hansa.encrypted_file import check_file
from hansa.engine.store import StateStore
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Corrupt, Invalid, Unavailable
from hansa.node.risk.clerk.format import FORM, KeptDecision, KeptTally
from hansa.node.risk.clerk.journal import BLOCK_EVENTS, EVENTS_PER_VALUE, INDEX, Journal
from hansa.node.risk.clerk.tallying import HOUR_MS, REASONS_KEPT, Tallied, add_up, sum_reasons
from hansa.risk.decisions.commitment import DecisionRecord, decode_record
from hansa.risk.intake.intake import Taken, Told
from hansa.risk.verdicts import Verdict

NOON_MS = 12 * HOUR_MS


def decide(number):
    tx_id, none = number.to_bytes(32, "big"), bytes(32)
    facts = (none, tx_id, none, none, none, none, Verdict.ALLOW, (), none, 0, 0)
    record = encode(DecisionRecord(1, *facts))
    return tx_id, KeptDecision(record, b"", (), -1, (), none, -1)


def find_numbers(placed):
    return [int.from_bytes(decode_record(each.kept.record).tx_id, "big") for each in placed]


def test_decisions_are_listed_in_order_and_counted_by_the_hour(tmp_path):
    path = tmp_path / "decisions.db"
    journal = Journal.open(path, "secret", cost=CHEAP)
    first = Tallied(NOON_MS - 1, [(Verdict.ALLOW, ()), (Verdict.BLOCK, ("rule.huge", "list.x"))])
    journal.write([], [decide(1), decide(2)], (), first)
    journal.write([], [decide(3)], (), Tallied(NOON_MS, [(Verdict.REVIEW, ("rule.huge",))]))
    journal.close()
    journal = Journal.open(path, "secret")  # what was counted goes on from there
    journal.write([], [decide(4)], (), Tallied(NOON_MS + 5, [(Verdict.REVIEW, ("rule.new",))]))
    found = journal.list_decisions(journal.count_decisions(), 2)
    assert [each.place for each in found] == find_numbers(found) == [3, 2]
    assert journal.find_decision(decide(4)[0]) == decide(4)[1]
    assert journal.list_tallies(0, NOON_MS) == {
        NOON_MS - HOUR_MS: KeptTally((1, 0, 0, 1), (("list.x", 1), ("rule.huge", 1)))
    }
    tallies = journal.list_tallies(0, NOON_MS + 1)
    assert tallies[NOON_MS].verdicts == (0, 0, 2, 0)
    assert sum_reasons(tallies.values()) == [("rule.huge", 2), ("list.x", 1), ("rule.new", 1)]
    journal.close()


def test_what_came_alone_and_in_blocks_is_read_in_order_from_any_place(tmp_path):
    with closing(Journal.open(tmp_path / "decisions.db", "secret", cost=CHEAP)) as journal:
        ends = (0, 1, 34, 35, 600, 600 + EVENTS_PER_VALUE, BLOCK_EVENTS + 900)
        events = [Taken(each, b"a" * 32, b"b" * 32, 5) for each in range(ends[-1])]
        for begin, end in pairwise(ends):
            decisions = [decide(number + 1) for number in range(begin, min(end, 620))]
            journal.write(events[begin:end], decisions)
        for start in (0, 1, 33, 34, 599, 700, ends[-1] - 1, ends[-1]):
            found = [each for block in journal.iterate_events(start) for each in block]
            assert found == events[start:]
        assert find_numbers(journal.iterate_decisions()) == list(range(1, 621))
        for before, limit in ((621, 70), (36, 3), (34, 99), (1, 5)):
            first = max(before - limit, 1)
            expected = list(range(first, before))[::-1]
            assert find_numbers(journal.list_decisions(before, limit)) == expected
        assert journal.find_decision(bytes(32)) is None
        with journal._file.at_once() as connection:  # noqa: SLF001
            connection.execute("DELETE FROM events WHERE first = 35")
            connection.execute("DELETE FROM decisions WHERE first = 2")
        for iterate in (journal.iterate_events, journal.iterate_decisions):
            with pytest.raises(Corrupt, match="are missing in the journal"):
                list(iterate())


def test_decisions_go_on_though_the_index_beside_is_taken_away(tmp_path):
    path = tmp_path / "decisions.db"
    with closing(Journal.open(path, "secret", cost=CHEAP)) as journal:
        journal._places._flushed = 2  # noqa: SLF001
        for number in range(1, 40):
            if number == 10:
                StateStore.wipe(path.with_suffix(INDEX))
            journal.write([], [decide(number)], height=number)
            assert journal.height == number
        tx_ids = [decide(number)[0] for number in range(1, 45)]
        assert journal.find_decided(tx_ids) == set(tx_ids[:39])
        assert find_numbers(journal.iterate_decisions()) == list(range(1, 40))


def test_where_a_place_is_taken_the_journal_is_damaged(tmp_path):
    with closing(Journal.open(tmp_path / "decisions.db", "secret", cost=CHEAP)) as journal:
        journal.write([], [decide(1)])
        with journal._file.at_once() as connection:  # noqa: SLF001
            connection.execute("INSERT INTO decided VALUES (2, x'00')")
        with pytest.raises(Corrupt, match="UNIQUE constraint failed: decided"):
            journal.write([], [decide(2)])


def test_the_file_is_closed_though_its_index_cannot_be(tmp_path, monkeypatch):
    journal = Journal.open(tmp_path / "decisions.db", "secret", cost=CHEAP)

    def refuse():
        raise Unavailable("the disk is full")

    monkeypatch.setattr(journal._places, "close", refuse)  # noqa: SLF001
    with pytest.raises(Unavailable):
        journal.close()
    assert not (tmp_path / "decisions.db-wal").exists()  # as SQLite leaves it that was closed


def test_a_file_of_an_earlier_form_is_told(tmp_path):
    path = tmp_path / "decisions.db"
    journal = Journal.open(path, "secret", cost=CHEAP)
    journal._file.connection.execute("PRAGMA user_version = 1")  # noqa: SLF001
    journal.close()
    with pytest.raises(Invalid, match=r"written by an earlier version .* move it away"):
        Journal.open(path, "secret")
    with pytest.raises(Invalid, match="earlier version"):
        check_file(path, FORM)


def test_damage_is_met_where_it_is_read_and_a_check_reads_all(tmp_path):
    path = tmp_path / "decisions.db"
    with closing(Journal.open(path, "secret", cost=CHEAP)) as journal:
        for begin in range(0, 20_000, EVENTS_PER_VALUE):
            times_ms = range(begin, begin + EVENTS_PER_VALUE)
            journal.write([Taken(each, b"a" * 32, b"b" * 32, 5) for each in times_ms])
    raw = bytearray(path.read_bytes())
    middle = len(raw) // 2 // 4_096 * 4_096
    raw[middle : middle + 4_096] = bytes(4_096)
    path.write_bytes(raw)
    with closing(Journal.open(path, "secret")) as journal, pytest.raises(Corrupt, match="damaged"):
        list(journal.iterate_events())
    with pytest.raises(Corrupt, match="damaged"):
        check_file(path, FORM)


def test_the_last_label_of_a_payment_counts(tmp_path):
    journal = Journal.open(tmp_path / "decisions.db", "secret", cost=CHEAP)
    journal.write([Taken(each, b"a" * 32, b"b" * 32, 5) for each in range(3)])
    journal.write([Told(0, 5, True), Told(2, 5, True), Told(0, 6, False)])
    assert journal.list_labels(0, 2) == {0: False}
    assert journal.list_labels(0, 3) == {0: False, 2: True}
    journal.close()


def test_reasons_that_are_counted_are_bounded():
    codes = tuple(f"rule.r{number}" for number in range(2 * REASONS_KEPT))
    tally = add_up(
        KeptTally((0, 0, 0, 0), (("rule.often", 2),)), Tallied(0, [(Verdict.BLOCK, codes)])
    )
    assert tally.reasons[0] == ("rule.often", 2)
    assert len(tally.reasons) == REASONS_KEPT
