"""What a node tells its own institution of what it decides on payments; as `hansa.sdk.answers`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from hansa.sdk.answers import AddressText, AmountText, Answer, Count, HashText, HexText, TimeMs
from hansa.sdk.risk.answers import Basis

VerdictName = Literal["allow", "step_up", "review", "block"]
AnswerName = Literal["confirmed", "released", "refused"]
"""By its customer, by an officer, by either."""
HeldState = Literal["waiting", "confirmed", "released", "refused", "blocked", "expired"]
"""What became of one that was not allowed at once."""
Millionths = Annotated[int, Meta(ge=0, le=1_000_000)]
"""A probability of fraud."""
AgreementName = Literal["agrees", "differs", "unknown"]


class RiskObstacle(Answer, frozen=True, kw_only=True):
    """Why no model decides, and what is to be done about it next."""

    words: str
    command: str
    """What is typed; what is in capitals, whoever types it fills in."""
    is_sent: bool
    """Whether it acts on the ledger, through the node that `--node` names."""


class ScreeningStanding(Answer, frozen=True, kw_only=True):
    """What came of screening an operator's customers against sanctions lists."""

    customers: Count
    """Names in its file."""
    entries: Count
    """Of the lists."""
    lists: HashText
    """One hash over the lists' files."""
    lists_ms: TimeMs
    """When the file was changed that was changed the longest ago."""
    findings: list[str]
    """What of the lists is not screened against, and why; 20 at most."""
    left_out: Count
    """How many there are."""
    hits: Count
    """That are not cleared."""
    cleared: Count
    """That an officer found to be somebody else."""
    wallets: Count
    """Whose payments wait, or are blocked."""


class RiskStanding(Answer, frozen=True, kw_only=True):
    """How a node decides at present."""

    operator: AddressText
    policy: HashText
    """The operator's own: one hash over its files."""
    policy_version: Count
    rules: Count
    listed: Count
    """Entries of its lists."""
    merchants: Count
    screening: ScreeningStanding | None
    """Null if there is no file of customers."""
    model: HashText | None
    """The champion, whether or not it is in force."""
    challenger: HashText | None
    is_scored: bool
    """Whether the champion decides: it is in force on the ledger under just this policy."""
    obstacle: RiskObstacle | None
    """Why it does not; null if it does."""
    in_force: list[Basis]
    """What the ledger has in force for this operator."""
    faults: list[str]
    """Why a model that was given a role has none, in words."""
    waiting: Count
    """Transactions that are held and whose time is not over."""
    events: Count
    """Payments and labels that were taken in."""


class Listing(Answer, frozen=True, kw_only=True):
    """What lists said of a payment."""

    verdict: VerdictName
    reason: str


class ClearedHit(Answer, frozen=True, kw_only=True):
    """An officer's finding that a customer is not whom an entry names."""

    until_ms: TimeMs | None
    """The first moment at which it counts no more; null if it has no end."""
    why: str
    by: str | None


class Hit(Answer, frozen=True, kw_only=True):
    """A customer that may be whom an entry of a sanctions list names."""

    wallet: AddressText
    name: str
    """The customer's, as the operator's file has it."""
    entry: str
    """Source and id, as `OFAC-SDN 306`."""
    listed: str
    """Which of the entry's names matched best."""
    kind: str
    """What the entry names: `person`, `entity`, `vessel`, `aircraft` or `unknown`."""
    is_weak: bool
    """The list's publisher says that this alias identifies badly."""
    score: Millionths
    """Of the name alone."""
    born: AgreementName
    country: AgreementName
    programmes: list[str]
    verdict: VerdictName
    """On payments from and to the wallet: `allow` while it is cleared."""
    cleared: ClearedHit | None
    """Whether or not it counts still."""


class HitPage(Answer, frozen=True, kw_only=True):
    """A page of hits."""

    hits: list[Hit]
    next: Count | None
    """Where the next page begins; null if this is the last."""


class HeldPayment(Answer, frozen=True, kw_only=True):
    """A payment of a transaction that was decided on."""

    payer: AddressText
    payee: AddressText
    asset: str
    amount_minor: AmountText
    listed: Listing | None


class HeldTransaction(Answer, frozen=True, kw_only=True):
    """A transaction that was not allowed at once."""

    place: Count
    """In the order in which they were held."""
    tx_id: HashText
    verdict: VerdictName
    reasons: list[str]
    ppm: Millionths | None
    """The highest among its payments; null if no model was asked."""
    since_ms: TimeMs
    until_ms: TimeMs
    """Last moment at which it may be answered."""
    state: HeldState
    by: str | None
    """Who answered."""
    answered_ms: TimeMs | None
    payments: list[HeldPayment]


class HeldPage(Answer, frozen=True, kw_only=True):
    """A page of transactions that were held."""

    transactions: list[HeldTransaction]
    next: Count | None
    """Where the next page begins; null if this is the last."""


class DecidedPayment(HeldPayment, frozen=True, kw_only=True):
    """A payment that was decided on, with its features."""

    number: Count | None
    """In the order of intake; null if it could not be described."""
    row: list[int]
    """Its features, in the order of `features`; none if it could not be described."""


class GivenAnswer(Answer, frozen=True, kw_only=True):
    """What was answered for a transaction that waited."""

    tx_id: HashText
    answer: AnswerName
    by: str
    """Name and id of the API key, with who answered by it if that was given."""
    time_ms: TimeMs
    document: HexText | None
    """The decision that lets it through; null if it was refused."""
    salt: HashText | None


class RiskDecision(Answer, frozen=True, kw_only=True):
    """All that is kept of a decision: what was committed to, and what it rests on."""

    tx_id: HashText
    verdict: VerdictName
    reasons: list[str]
    ppm: Millionths | None
    model: HashText | None
    """Null if no model was asked."""
    policy: HashText
    decided_ms: TimeMs
    expires_ms: TimeMs
    document: HexText
    """The document itself; what stands above is read from it."""
    salt: HashText
    trials: list[str]
    """Rules on trial that fired."""
    challenger: HashText | None
    challenger_ppm: Millionths | None
    features: list[str]
    """What a row holds; empty where this program knows only another set."""
    payments: list[DecidedPayment]
    answer: GivenAnswer | None


class Labelled(Answer, frozen=True, kw_only=True):
    """That it was told what payments turned out to be."""

    tx_id: HashText
    payments: Count
    """How many have the label now."""
