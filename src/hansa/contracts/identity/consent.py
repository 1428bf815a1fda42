"""Consent: what a holder allows a recipient to do with data, for how long and how often.

The terms (purpose, fields, resource) are a salted commitment: only who is shown them can read
them. A consent is named by who gives it and by its terms. Its recipient may hand it on, as often
as it allows, within its bounds; so a chain leads from each consent to the holder's own. An exchange
is signed by who provides the data and by who receives it, in one transaction: it counts a use of
each link of the chain, and there is none where a link is revoked, over or used up. After its time
a consent counts as gone, and anyone may sweep its row. Units: milliseconds of ledger time.

Source: WeIdentity's data authorisation (CPT 101); ISO/IEC TS 27560:2023 (consent records).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from hansa.kernel.authority import Purpose
from hansa.kernel.calendar import DAY_MS
from hansa.kernel.contract import NO_MONEY, Command, Event, Function, ListReads
from hansa.kernel.crypto.hashing import ZERO_HASH
from hansa.kernel.errors import Refused
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View
from hansa.kernel.rows import Row, RowId, Rows
from hansa.kernel.trees.merkle import Digest
from hansa.kernel.values import Address, Hash, NonNegative, TimeMs

NAME = "consent"
VERSION = 1

DAYS_MAX = 3_660
"""Longest time of a consent, so that every row can be swept in the end."""
DELEGATIONS_MAX = 3

Delegations = Annotated[int, Meta(ge=0, le=DELEGATIONS_MAX)]
"""How often a consent may still be handed on, one after the other."""


class Code(StrEnum):
    """Refusals, in order of precedence."""

    UNKNOWN_CONSENT = "consent.UNKNOWN_CONSENT"
    STILL_IN_TIME = "consent.STILL_IN_TIME"
    NOT_A_PARTY = "consent.NOT_A_PARTY"
    REVOKED = "consent.REVOKED"
    NOT_YET = "consent.NOT_YET"
    NO_USES_LEFT = "consent.NO_USES_LEFT"
    MAY_NOT_DELEGATE = "consent.MAY_NOT_DELEGATE"
    SAME_PARTY = "consent.SAME_PARTY"
    WRONG_TIME = "consent.WRONG_TIME"
    TOO_WIDE = "consent.TOO_WIDE"
    CONSENT_EXISTS = "consent.CONSENT_EXISTS"


class Consent(Row, frozen=True, array_like=True):
    """A consent, given by the holder or handed on by a recipient."""

    TABLE: ClassVar[bytes] = b"co"
    KEY: ClassVar[tuple[str, ...]] = ("consent_id",)
    CHARGED_TO: ClassVar[str] = "sponsor"

    consent_id: Hash
    holder: Address
    """Whose data it is."""
    giver: Address
    """Who gave this one: the holder, or a recipient that handed it on."""
    recipient: Address
    terms: Hash
    from_ms: TimeMs
    until_ms: TimeMs
    uses_max: NonNegative
    """0 for any number."""
    delegations: Delegations
    parent: Hash
    """The consent that was handed on; zero for the holder's own."""
    sponsor: Address
    """Who brought it in, and is charged for this row until it is swept."""
    uses: NonNegative = 0
    """Exchanges under this consent and all that hang on it."""
    revoked_ms: TimeMs = 0
    """0 while it is not."""


class Give(Command, frozen=True, array_like=True):
    """Allow a recipient something, as the holder of the data."""

    holder: Address
    recipient: Address
    terms: Hash
    from_ms: TimeMs
    until_ms: TimeMs
    uses_max: NonNegative
    delegations: Delegations


class Delegate(Command, frozen=True, array_like=True):
    """Hand a consent on, as its recipient, within its bounds."""

    parent: Hash
    recipient: Address
    terms: Hash
    from_ms: TimeMs
    until_ms: TimeMs
    uses_max: NonNegative
    delegations: Delegations


class Revoke(Command, frozen=True, array_like=True):
    """End a consent and all that hang on it, as who gave it or as the holder."""

    consent_id: Hash
    revoker: Address


class RecordExchange(Command, frozen=True, array_like=True):
    """Record that data was exchanged under a consent; its provider and its recipient sign."""

    consent_id: Hash
    provider: Address
    payload_hash: Hash
    """Of the salted data."""


class Sweep(Command, frozen=True, array_like=True):
    """Remove a consent's row after its time; anyone may."""

    consent_id: Hash


class Given(Event, frozen=True, array_like=True):
    """A consent was given, or handed on."""

    consent_id: Hash
    holder: Address
    giver: Address
    recipient: Address
    until_ms: TimeMs


class Revoked(Event, frozen=True, array_like=True):
    """A consent has ended, and all that hang on it."""

    consent_id: Hash
    revoker: Address


class Exchanged(Event, frozen=True, array_like=True):
    """Data was exchanged, say both sides."""

    consent_id: Hash
    provider: Address
    recipient: Address
    payload_hash: Hash
    uses: NonNegative
    """Of this consent so far."""


class Swept(Event, frozen=True, array_like=True):
    """A consent's row was removed."""

    consent_id: Hash


def give(view: View, context: Context, command: Give) -> list[Event]:
    """Give a consent; the holder's own decision.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    holder = command.holder
    context.require(holder, Purpose.AUTHENTICATE)
    _check_bounds(context, holder, command)
    consent_id = _check_new(view, context, holder, command.terms)
    # CHANGE
    view.put(_build(context, consent_id, holder, holder, command, ZERO_HASH))
    # TELL
    parties = (holder, holder, command.recipient)
    return [Given(NO_MONEY, consent_id, *parties, command.until_ms)]


def delegate(view: View, context: Context, command: Delegate) -> list[Event]:
    """Hand a consent on; nobody can be allowed more than who allows it.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    parent = _get_chain(view, context, command.parent)[0]
    giver = parent.recipient
    context.require(giver, Purpose.AUTHENTICATE)
    if not parent.delegations:
        raise Refused(Code.MAY_NOT_DELEGATE, consent_id=parent.consent_id)
    _check_bounds(context, giver, command)
    if _is_wider(command, parent):
        raise Refused(
            Code.TOO_WIDE,
            from_ms=parent.from_ms,
            until_ms=parent.until_ms,
            uses_max=parent.uses_max,
            delegations=parent.delegations - 1,
        )
    consent_id = _check_new(view, context, giver, command.terms)
    # CHANGE
    view.put(_build(context, consent_id, parent.holder, giver, command, parent.consent_id))
    # TELL
    parties = (parent.holder, giver, command.recipient)
    return [Given(NO_MONEY, consent_id, *parties, command.until_ms)]


def revoke(view: View, context: Context, command: Revoke) -> list[Event]:
    """Revoke a consent, for good; exchanges so far stay on record.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    context.require(command.revoker, Purpose.AUTHENTICATE)
    consent = _get_known(view, context, command.consent_id)
    if command.revoker not in (consent.giver, consent.holder):
        raise Refused(Code.NOT_A_PARTY, revoker=command.revoker)
    if consent.revoked_ms:
        raise Refused(Code.REVOKED, revoked_ms=consent.revoked_ms)
    # CHANGE
    view.put(msgspec.structs.replace(consent, revoked_ms=context.time_ms))
    # TELL
    return [Revoked(NO_MONEY, command.consent_id, command.revoker)]


def record_exchange(view: View, context: Context, command: RecordExchange) -> list[Event]:
    """Record an exchange; it uses the consent, and each that it hangs on, once.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    provider = command.provider
    context.require(provider, Purpose.AUTHENTICATE)
    chain = _get_chain(view, context, command.consent_id)
    recipient = chain[0].recipient
    context.require(recipient, Purpose.AUTHENTICATE)
    for link in chain:
        if context.time_ms < link.from_ms:
            raise Refused(Code.NOT_YET, consent_id=link.consent_id, from_ms=link.from_ms)
    for link in chain:
        if link.uses_max and link.uses >= link.uses_max:
            raise Refused(Code.NO_USES_LEFT, consent_id=link.consent_id, uses_max=link.uses_max)
    if provider == recipient:
        raise Refused(Code.SAME_PARTY, party=provider)
    # CHANGE
    for link in chain:
        view.put(msgspec.structs.replace(link, uses=link.uses + 1))
    # TELL
    fields = (command.consent_id, provider, recipient, command.payload_hash)
    return [Exchanged(NO_MONEY, *fields, chain[0].uses + 1)]


def sweep(view: View, context: Context, command: Sweep) -> list[Event]:
    """Remove the row of a consent whose time is over.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    consent = view.get(Consent, command.consent_id)
    if consent is None:
        raise Refused(Code.UNKNOWN_CONSENT, consent_id=command.consent_id)
    if context.time_ms <= consent.until_ms:
        raise Refused(Code.STILL_IN_TIME, until_ms=consent.until_ms)
    # CHANGE
    view.delete(Consent, command.consent_id)
    # TELL
    return [Swept(NO_MONEY, command.consent_id)]


def compute_id(giver: bytes, terms: bytes, digest: Digest) -> bytes:
    """Compute the name of a consent by the network's hash; it is known before it is sent.

    Nobody else can take it: `giver` signs what makes the row.
    """
    return digest(b"hansa\x00consent\x00" + giver + terms)


def find_consent(rows: Rows, consent_id: bytes, time_ms: int) -> Consent | None:
    """Find a consent, revoked or not; one whose time is over counts as gone, swept or not."""
    consent = rows.get(Consent, consent_id)
    return None if consent is None or time_ms > consent.until_ms else consent


def _get_known(view: View, context: Context, consent_id: bytes) -> Consent:
    consent = find_consent(view, consent_id, context.time_ms)
    if consent is None:
        raise Refused(Code.UNKNOWN_CONSENT, consent_id=consent_id)
    return consent


def _get_chain(view: View, context: Context, consent_id: bytes) -> list[Consent]:
    """Get a consent and those that it hangs on, up to the holder's own; none of them is revoked.

    A consent ends no later than its parent, so what is in time hangs on what is in time; and it
    was named when it was new, so no chain leads back into itself.
    """
    chain = [_get_known(view, context, consent_id)]
    while chain[-1].parent != ZERO_HASH:
        chain.append(_get_known(view, context, chain[-1].parent))
    for link in chain:
        if link.revoked_ms:
            raise Refused(Code.REVOKED, consent_id=link.consent_id, revoked_ms=link.revoked_ms)
    return chain


def _check_bounds(context: Context, giver: bytes, command: Give | Delegate) -> None:
    """Check whatever a new consent must be, whoever gives it."""
    if command.recipient == giver:
        raise Refused(Code.SAME_PARTY, party=giver)
    latest_ms = context.time_ms + DAYS_MAX * DAY_MS
    is_sound = context.time_ms < command.until_ms <= latest_ms
    if not is_sound or command.from_ms > command.until_ms:
        raise Refused(Code.WRONG_TIME, time_ms=context.time_ms, days_max=DAYS_MAX)


def _is_wider(command: Delegate, parent: Consent) -> bool:
    """Whether a consent would allow more than the one that is handed on."""
    return (
        command.from_ms < parent.from_ms
        or command.until_ms > parent.until_ms
        or command.delegations >= parent.delegations
        or (parent.uses_max > 0 and not 0 < command.uses_max <= parent.uses_max)
    )


def _check_new(view: View, context: Context, giver: bytes, terms: bytes) -> bytes:
    """Compute the name of a new consent; refuses one that is still in time."""
    consent_id = compute_id(giver, terms, context.digest)
    if find_consent(view, consent_id, context.time_ms) is not None:
        raise Refused(Code.CONSENT_EXISTS, consent_id=consent_id)
    return consent_id


def _build(
    context: Context,
    consent_id: bytes,
    holder: bytes,
    giver: bytes,
    command: Give | Delegate,
    parent: bytes,
) -> Consent:
    return Consent(
        consent_id,
        holder,
        giver,
        command.recipient,
        command.terms,
        command.from_ms,
        command.until_ms,
        command.uses_max,
        command.delegations,
        parent,
        context.sponsor,
    )


def _list_reads(command: RecordExchange) -> tuple[RowId, ...]:
    return ((Consent, command.consent_id),)


READS: dict[type[Command], ListReads] = {RecordExchange: _list_reads}

COMMANDS: dict[str, tuple[type[Command], Function]] = {
    "give": (Give, give),
    "delegate": (Delegate, delegate),
    "revoke": (Revoke, revoke),
    "record_exchange": (RecordExchange, record_exchange),
    "sweep": (Sweep, sweep),
}
