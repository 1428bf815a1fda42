"""What a node's API answers about reconciliation; as `hansa.sdk.answers`."""

from __future__ import annotations

from hansa.sdk.answers import AddressText, AmountText, Answer, Count, HashText, HexText, TimeMs


class Agreement(Answer, frozen=True, kw_only=True):
    """An agreement, and how far its parties are."""

    id: HashText
    left: AddressText
    right: AddressText
    terms: HashText
    from_day: Count
    window_days: Count
    keep_days: Count
    proposer: AddressText
    state: str
    """`proposed`, `in_force` or `ended`."""
    since_ms: TimeMs
    left_watermark: Count
    right_watermark: Count
    closed: Count
    """Windows below this number are closed."""
    agreed: Count
    """Windows below this number are agreed on."""


class Agreements(Answer, frozen=True, kw_only=True):
    """All agreements that the caller may read."""

    agreements: list[Agreement]


class Side(Answer, frozen=True, kw_only=True):
    """What one party posted in a window."""

    entries: Count
    open: Count
    statement: HexText
    """Empty if it has stated no result."""
    cases: Count


class Window(Answer, frozen=True, kw_only=True):
    """A window in figures."""

    agreement: HashText
    window: Count
    left: Side
    right: Side
    matched: Count
    healed: Count
    agreed_ms: TimeMs | None
    result: HexText
    """Empty until both have stated the same."""


class Tally(Answer, frozen=True, kw_only=True):
    """What one party posted under a tag."""

    entries: Count
    chain: HashText
    is_bracketed: bool


class TagCount(Answer, frozen=True, kw_only=True):
    """What both parties posted under a tag."""

    tag: HexText
    left: Tally
    right: Tally


class Case(Answer, frozen=True, kw_only=True):
    """Where a case stands."""

    agreement: HashText
    id: HashText
    window: Count
    opener: AddressText
    state: str
    """`open`, `proposed`, `offered`, `accepted`, `resolved`, `disputed` or `healed`."""
    since_ms: TimeMs
    kind: str | None
    """`correct`, `write_off`, `reverse`, `dispute`; null where nothing is proposed."""
    terms: HashText | None
    proposer: AddressText | None
    officers: list[AddressText]
    disputed: HashText | None


class Cases(Answer, frozen=True, kw_only=True):
    """All cases of an agreement."""

    cases: list[Case]


class Position(Answer, frozen=True, kw_only=True):
    """A net position; its amount shows once it is settled."""

    agreement: HashText
    window: Count
    asset: str
    left: HexText
    """Commitment that the left party signed; empty until then."""
    right: HexText
    is_agreed: bool
    since_ms: TimeMs
    settled_minor: AmountText | None
