"""Whether rows come out again is told, and that none was compared is not told as if all had."""

from __future__ import annotations

from contextlib import closing

import pytest
from tests.deciding_desk import CHEAP

from hansa.kernel.encoding import encode
from hansa.node.risk.audit.repeating import Difference, repeat
from hansa.node.risk.clerk.format import KeptDecision, KeptPayment
from hansa.node.risk.clerk.journal import Journal
from hansa.risk.decisions.commitment import DecisionRecord
from hansa.risk.intake.describing import FEATURES_HASH
from hansa.risk.intake.intake import Taken, begin_intake
from hansa.risk.packing import pack
from hansa.risk.verdicts import Verdict

NONE = bytes(32)
EVENT = Taken(5, b"a" * 32, b"b" * 32, 7)


@pytest.fixture
def journal(tmp_path):
    with closing(Journal.open(tmp_path / "decisions.db", "secret", cost=CHEAP)) as journal:
        yield journal


def keep(journal, features):
    """Keep a payment that was taken in and decided on, its row of these features."""
    (row,) = pack(begin_intake().take([EVENT]))
    facts = (NONE, NONE, NONE, NONE, features, NONE, Verdict.ALLOW, (), NONE, 5, 6)
    payment = KeptPayment(b"a" * 32, b"b" * 32, "CRD", 7, 0, True, row, None)
    kept = KeptDecision(encode(DecisionRecord(1, *facts)), b"", (payment,), -1, (), NONE, -1)
    journal.write([EVENT], [(NONE, kept)])


def test_rows_of_this_program_come_out_again(journal):
    keep(journal, FEATURES_HASH)
    found = repeat(journal)
    assert (found.compared, found.is_identical, found.words) == (1, True, "")
    changed = found._replace(differing=1, first=Difference(NONE, 0, ("amount_minor",)))
    assert (changed.is_identical, changed.words) == (False, "")


def test_where_no_row_was_compared_it_is_not_known_and_why_is_told(journal):
    found = repeat(journal)
    assert (found.compared, found.is_identical) == (0, None)
    assert found.words == "nothing was compared: no row of a payment was kept"
    keep(journal, NONE)
    found = repeat(journal)
    assert (found.compared, found.other_sets, found.is_identical) == (0, 1, None)
    assert "all 1 rows are of other sets of features" in found.words
    assert found._replace(missing=1).is_identical is False
