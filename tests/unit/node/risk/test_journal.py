"""What of the journal pages are filled from: decisions in order, tallies by hour, labels."""

from __future__ import annotations

from tests.deciding_desk import CHEAP

from hansa.node.risk.format import KeptDecision, KeptTally
from hansa.node.risk.journal import Journal
from hansa.node.risk.tallying import HOUR_MS, REASONS_KEPT, Tallied, add_up, sum_reasons
from hansa.risk.intake.intake import Taken, Told
from hansa.risk.verdicts import Verdict

NOON_MS = 12 * HOUR_MS


def decide(number):
    return bytes([number]) * 32, KeptDecision(bytes([number]), b"", (), -1, (), bytes(32), -1)


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
    assert [(each.place, each.kept.record) for each in found] == [(3, b"\3"), (2, b"\2")]
    assert journal.find_decision(bytes([4]) * 32) == decide(4)[1]
    assert journal.list_tallies(0, NOON_MS) == {
        NOON_MS - HOUR_MS: KeptTally((1, 0, 0, 1), (("list.x", 1), ("rule.huge", 1)))
    }
    tallies = journal.list_tallies(0, NOON_MS + 1)
    assert tallies[NOON_MS].verdicts == (0, 0, 2, 0)
    assert sum_reasons(tallies.values()) == [("rule.huge", 2), ("list.x", 1), ("rule.new", 1)]
    journal.close()


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
