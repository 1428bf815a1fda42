"""What a node tells its own member of the pairs that it reconciles; as `hansa.sdk.answers`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from hansa.sdk.answers import AddressText, AmountText, Answer, Count, HashText
from hansa.sdk.reconciliation import answers

DateText = Annotated[str, Meta(pattern="^([0-9]{4}|[+-][0-9]{6})-[0-9]{2}-[0-9]{2}$")]
"""ISO 8601; with six digits where the year is none of four, as an entry may say."""
Place = Literal["left", "right"]
"""Which of both parties; the left one's books lead."""
ProposalKind = Literal["correct", "write_off", "reverse", "dispute"]
BreakKind = Literal[
    "ambiguous",
    "duplicate",
    "reversal",
    "split",
    "amount",
    "date",
    "missing_left",
    "missing_right",
]
"""Classes of breaks, as `hansa.reconcile` gives them, which a client may lack."""


class Pair(Answer, frozen=True, kw_only=True):
    """An agreement as one of its parties sees it."""

    agreement: HashText
    name: str
    """Of its rules."""
    place: Place
    """Of the node's member."""
    other: AddressText
    on_ledger: answers.Agreement | None
    """With both watermarks; null until it is proposed there."""
    completed: Count
    """Of the windows below this number all entries of the member are added."""
    trouble: str
    """Why the last step failed; empty if it did not."""


class Pairs(Answer, frozen=True, kw_only=True):
    """All agreements of the node's member."""

    pairs: list[Pair]


class PairTerms(Answer, frozen=True, kw_only=True):
    """What both agree on; all but the secret of which the keys of the pair are made."""

    terms: HashText
    """Commitment to them, as it stands on the ledger."""
    left: AddressText
    right: AddressText
    from_day: Count
    """First day of window 0, counted from 1970-01-01."""
    window_days: Count
    keep_days: Count
    assets: list[str]
    """In which net positions are signed."""
    rules: str
    """The rule file."""
    rates: str
    """The file of rates that it names; empty if it names none."""


class Net(Answer, frozen=True, kw_only=True):
    """What matched in one currency, as the left bank's books have it."""

    currency: str
    entries: Count
    net_minor: AmountText


class PairOutcome(Answer, frozen=True, kw_only=True):
    """What came out of a window, in figures."""

    left_entries: Count
    right_entries: Count
    pairs: Count
    """That the first pass matched."""
    matches: dict[str, Count]
    """How many matches by pass, of all that were shown to the other bank."""
    breaks: dict[str, Count]
    """How many by class."""
    nets: list[Net]
    result: HashText
    """Hash of it all, which a batch over the same window has, too."""


class PairWindow(Answer, frozen=True, kw_only=True):
    """One window as a party sees it."""

    agreement: HashText
    window: Count
    from_date: DateText
    to_date: DateText
    waiting: Count
    """Entries of the node's member that are not posted yet."""
    on_ledger: answers.Window | None
    """Its figures there; null if nothing is posted."""
    outcome: PairOutcome | None
    """Null while it is open, or the other bank has not shown its part."""


class PairDetails(Pair, frozen=True, kw_only=True):
    """An agreement with its terms and newest windows."""

    terms: PairTerms
    windows: list[PairWindow]
    """The newest first, as many as were asked for."""


class AddedEntries(Answer, frozen=True, kw_only=True):
    """What became of entries that were added."""

    taken: Count
    left_out: Count
    """Whose status does not count by the rules."""
    repeated: Count
    """That were taken or left out before, by their origin."""


class PairEntry(Answer, frozen=True, kw_only=True):
    """An entry as the bank that it is of has it: positive is what comes in."""

    account: str
    currency: str
    amount_minor: AmountText
    booking_date: DateText | None
    value_date: DateText | None
    reference: str
    bank_reference: str
    transaction_id: str
    counterparty: str
    counterparty_account: str
    text: str
    code: str
    batch: str
    is_reversal: bool
    status: Literal["booked", "pending", "information"]
    original_currency: str
    original_minor: AmountText | None
    charges_minor: AmountText | None


class Match(Answer, frozen=True, kw_only=True):
    """Entries of both that belong together, and why."""

    rule: str
    """Name of the pass that matched them."""
    reason: str
    left: list[PairEntry]
    right: list[PairEntry]


class Matches(Answer, frozen=True, kw_only=True):
    """Matches of one window, of what was shown to the other bank."""

    matches: list[Match]
    next: Count | None
    """What to give as `after` for the next page."""


class Break(Answer, frozen=True, kw_only=True):
    """Entries that do not match, and the case that somebody opened for them."""

    id: HashText
    """Names its case."""
    window: Count
    kind: str
    """Its class, such as `missing_right` or `amount`."""
    reason: str
    age_days: Count | None
    """Business days from its oldest entry to the newest block; null where none has a date."""
    age: str | None
    """Class of that by the rules, such as `2-3`."""
    priority: Count
    """From 1, the most urgent, to 5."""
    left: list[PairEntry]
    right: list[PairEntry]
    case: answers.Case | None


class Breaks(Answer, frozen=True, kw_only=True):
    """Breaks that are open as of a window, all that fit the filters."""

    window: Count | None
    """The last of which all is known; null where there is none."""
    breaks: list[Break]
    next: Count | None
    """What to give as `after` for the next page."""


class PairCases(Answer, frozen=True, kw_only=True):
    """Cases of an agreement, the newest first."""

    cases: list[answers.Case]
    next: Count | None
    """What to give as `after` for the next page."""


class SharedProposal(Answer, frozen=True, kw_only=True):
    """How one of both banks would resolve a break, in words."""

    terms: HashText
    """Commitment to it: what officers propose and accept on the ledger."""
    kind: ProposalKind
    words: str
    amount_minor: AmountText
    """What it is about, as the left bank's books have it."""
    is_current: bool
    """Whether it is the one that the case on the ledger stands at."""


class CaseDetails(Answer, frozen=True, kw_only=True):
    """A break in all its details, its case, and what was proposed for it."""

    id: HashText
    case: answers.Case | None
    """On the ledger; null until a party opens it."""
    found: Break | None
    """As it was in the last window in which it was one; null where that is not kept."""
    proposals: list[SharedProposal]
    """Of both banks, by their commitments."""


class PairPosition(Answer, frozen=True, kw_only=True):
    """A net position, with what opens its commitment."""

    agreement: HashText
    window: Count
    asset: str
    """The currency."""
    entries: Count
    net_minor: AmountText
    """What matched, as the left bank's books have it."""
    payer: AddressText
    """Who owes it."""
    amount_minor: AmountText
    """What is paid to settle it; 0 or more."""
    salt: HashText
    """By which the payer and the payee open the commitment; for nobody else."""
    on_ledger: answers.Position | None
    """Null until one of both signs it."""


class PairPositions(Answer, frozen=True, kw_only=True):
    """Net positions by window, the newest first."""

    positions: list[PairPosition]
    next: Count | None
    """What to give as `after` for the next page."""
