"""Codes of BAI2: which way a type of transaction moves money, and what others of them say.

Source: BAI Cash Management Balance Reporting Specifications, version 2 (2005), appendix A. Of the
codes left to banks, 900 to 919 are a status, 920 to 959 credits, 960 to 999 debits, as other
readers have it, too; BAI's questions and answers draw the first line at 930. No record 16 bears a
status, so that 920 to 929 in one are credits either way.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Direction(IntEnum):
    """Which way money moves, as a factor of the amount, which has no sign."""

    CREDIT = 1
    DEBIT = -1
    NONE = 0
    """A status, or information without money."""


NON_MONETARY = 890
_RANGES = (
    (1, 99, Direction.NONE),
    (100, 399, Direction.CREDIT),
    (400, 699, Direction.DEBIT),
    (700, 719, Direction.NONE),  # balances of loans
    (720, 759, Direction.CREDIT),  # repayments
    (760, 799, Direction.DEBIT),  # disbursements
    (NON_MONETARY, NON_MONETARY, Direction.NONE),
    (900, 919, Direction.NONE),
    (920, 959, Direction.CREDIT),
    (960, 999, Direction.DEBIT),
)
DIRECTIONS = {
    f"{code:03}": direction for first, last, direction in _RANGES for code in range(first, last + 1)
}
"""By type code of three digits; a code that is not here has no meaning."""

_RETURNED_CREDITS = ["252", "255", "257", "258", "261", "266", "395"]
_RETURNED_DEBITS = ["552", "555", "557", "558", "561", "566", "694"]
REVERSALS = frozenset([*_RETURNED_CREDITS, *_RETURNED_DEBITS])
"""What takes back an earlier movement: reversed, rejected or returned."""

OPENING_LEDGER = "010"
CLOSING_LEDGER = "015"
CURRENT_LEDGER = "030"
"""What is on the account now: the closing one of a day that goes on."""
TOTAL_CREDITS = "100"
TOTAL_DEBITS = "400"


class GroupStatus(StrEnum):
    """What to do with a group (field 4 of record 02)."""

    UPDATE = "1"
    DELETION = "2"
    CORRECTION = "3"
    TEST_ONLY = "4"


SAME_DAY = frozenset("34")
"""As-of-date modifiers of a day that goes on, interim and final; 1 and 2 are of a day before."""


class Funds(StrEnum):
    """When money is available (funds type)."""

    IMMEDIATE = "0"
    ONE_DAY = "1"
    TWO_DAYS = "2"
    DISTRIBUTED = "S"
    """Three amounts follow: at once, in a day, in two or more."""
    VALUE_DATED = "V"
    """A date and a time follow."""
    DISTRIBUTED_BY_DAYS = "D"
    """A number follows, and as many pairs of days and amounts."""
    UNKNOWN = "Z"
    DEFAULT = ""
