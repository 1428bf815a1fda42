"""Accreditation: who may issue credentials of which type, since when, and by whose word.

The network accredits by its governance. It may let an issuer accredit others, some levels deep: so
a chain of grants leads from every accredited issuer to the network. A grant counts while each link
above it does, and is never dated back: it counts from when it was recorded, at the earliest. Every
grant stays on record as it was at any time, so a credential is judged by when it was issued. Who
has made a grant, or the network, suspends, reinstates and revokes it. Units: milliseconds of
ledger time.

Source: EBSI, Issuer Trust Model (accreditation organisations, trusted issuers).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, NamedTuple

import msgspec
from msgspec import Meta

from hansa.contracts.identity import schemas
from hansa.contracts.identity.schemas import TypeName
from hansa.kernel.authority import Purpose
from hansa.kernel.contract import NO_MONEY, Command, Event, Function
from hansa.kernel.crypto.hashing import ZERO_HASH
from hansa.kernel.errors import Corrupt, Refused
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View
from hansa.kernel.rows import Row, Rows, find_version
from hansa.kernel.values import Address, Hash, Positive, TimeMs

NAME = "accreditation"
VERSION = 1

NETWORK = ZERO_HASH
"""Stands for the network as a granter: it decides by proposals and has no keys."""
LEVELS_MAX = 3

Levels = Annotated[int, Meta(ge=0, le=LEVELS_MAX)]
"""How deep an issuer may let others accredit: 0 if it may issue only."""


class Code(StrEnum):
    """Refusals, in order of precedence."""

    WRONG_GRANTER = "accreditation.WRONG_GRANTER"
    WRONG_TIME = "accreditation.WRONG_TIME"
    UNKNOWN_TYPE = "accreditation.UNKNOWN_TYPE"
    NOT_ENTITLED = "accreditation.NOT_ENTITLED"
    UNKNOWN_GRANT = "accreditation.UNKNOWN_GRANT"
    NOT_GRANTER = "accreditation.NOT_GRANTER"
    WRONG_STATE = "accreditation.WRONG_STATE"


class State(StrEnum):
    """Where a grant stands, whatever its dates."""

    NONE = "none"
    GRANTED = "granted"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


class Reason(StrEnum):
    """Why a grant was suspended, reinstated or revoked."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "key_compromise"
    BREACH = "breach"
    CEASED = "ceased"
    """The issuer has stopped its work."""
    REQUESTED = "requested"
    """By the issuer itself."""
    CLEARED = "cleared"
    """What it was suspended for has been put right."""


class Fault(StrEnum):
    """Why an issuer was not accredited at a time."""

    NEVER = "never"
    NOT_YET = "not_yet"
    EXPIRED = "expired"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    NOT_ENTITLED = "not_entitled"
    """It accredits others, and was itself not allowed to, so deep."""


class Grant(Row, frozen=True, array_like=True):
    """The latest grant of an issuer for a type of credentials."""

    TABLE: ClassVar[bytes] = b"gr"
    KEY: ClassVar[tuple[str, ...]] = ("issuer", "credential_type")

    issuer: Address
    credential_type: TypeName
    granter: Address
    """`NETWORK`, or another issuer that may accredit."""
    state: State
    may_accredit: Levels
    from_ms: TimeMs
    until_ms: TimeMs
    version: Positive
    since_ms: TimeMs
    """When this version was recorded."""
    reason: Reason = Reason.UNSPECIFIED
    """Of its state; so is the hash."""
    reason_hash: Hash = ZERO_HASH
    """Of the salted text of the decision; zero where there is none."""


class PastGrant(Row, frozen=True, array_like=True):
    """A grant as it was before a change; never changed, and never removed."""

    TABLE: ClassVar[bytes] = b"gh"
    KEY: ClassVar[tuple[str, ...]] = ("issuer", "credential_type", "version")
    CACHED: ClassVar[bool] = False

    issuer: Address
    credential_type: TypeName
    version: Positive
    grant: Grant
    until_ms: TimeMs
    """When the next version was recorded."""


class Accredit(Command, frozen=True, array_like=True):
    """Let an issuer issue a type of credentials, or change for how long and how deep."""

    granter: Address
    issuer: Address
    credential_type: TypeName
    may_accredit: Levels
    from_ms: TimeMs
    until_ms: TimeMs


class Suspend(Command, frozen=True, array_like=True):
    """Take a grant's effect away for now."""

    granter: Address
    issuer: Address
    credential_type: TypeName
    reason: Reason
    reason_hash: Hash


class Reinstate(Command, frozen=True, array_like=True):
    """End the suspension of a grant."""

    granter: Address
    issuer: Address
    credential_type: TypeName
    reason: Reason
    reason_hash: Hash


class Revoke(Command, frozen=True, array_like=True):
    """End a grant; only its granter or the network can make a new one."""

    granter: Address
    issuer: Address
    credential_type: TypeName
    reason: Reason
    reason_hash: Hash


class Accredited(Event, frozen=True, array_like=True):
    """An issuer may issue a type of credentials, within these dates."""

    granter: Address
    issuer: Address
    credential_type: TypeName
    may_accredit: Levels
    from_ms: TimeMs
    until_ms: TimeMs


class Suspended(Event, frozen=True, array_like=True):
    """A grant has no effect for now."""

    granter: Address
    issuer: Address
    credential_type: TypeName
    reason: Reason
    reason_hash: Hash


class Reinstated(Event, frozen=True, array_like=True):
    """A suspension ended."""

    granter: Address
    issuer: Address
    credential_type: TypeName
    reason: Reason
    reason_hash: Hash


class Revoked(Event, frozen=True, array_like=True):
    """A grant ended."""

    granter: Address
    issuer: Address
    credential_type: TypeName
    reason: Reason
    reason_hash: Hash


class Standing(NamedTuple):
    """Whether an issuer was accredited at a time, and by which chain of grants."""

    fault: Fault | None
    """The first fault from the issuer upwards; None if it was accredited."""
    at: bytes
    """Whose grant has the fault; the issuer if there is none."""
    since_ms: int
    """Since when; NOT_YET: until when; NEVER: 0. Without a fault that of the issuer's grant."""
    chain: tuple[Grant, ...]
    """The grants as they were at that time, from the issuer's upwards, as far as they are good."""
    suspended_since_ms: int
    """Since when a link of the present chain has been suspended or revoked, 0 if none is. What
    such an issuer dates back to before then counts only if it was anchored before then."""


Judgement = Suspend | Reinstate | Revoke

LIFE: dict[tuple[State, type[Command]], State] = {
    (State.NONE, Accredit): State.GRANTED,
    (State.GRANTED, Accredit): State.GRANTED,
    (State.REVOKED, Accredit): State.GRANTED,
    (State.GRANTED, Suspend): State.SUSPENDED,
    (State.SUSPENDED, Reinstate): State.GRANTED,
    (State.GRANTED, Revoke): State.REVOKED,
    (State.SUSPENDED, Revoke): State.REVOKED,
}
"""What may follow what; a pair that is not here is WRONG_STATE, unless the network takes over."""

LAPSED = (Fault.EXPIRED, Fault.REVOKED, Fault.NOT_ENTITLED)
"""Faults of a chain by which a grant that nobody took back is free for another granter, if its
issuer signs, too."""

TOLD: dict[type[Command], type[Suspended | Reinstated | Revoked]] = {
    Suspend: Suspended,
    Reinstate: Reinstated,
    Revoke: Revoked,
}
"""What a judgement tells."""


def accredit(view: View, context: Context, command: Accredit) -> list[Event]:
    """Accredit an issuer, as one that may; deeper than itself by one level at least.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    context.require(command.granter, Purpose.MANAGE)
    return _accredit(view, context, command)


def accredit_approved(view: View, context: Context, command: Accredit) -> list[Event]:
    """Accredit an issuer by a vote of the network.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    _require_network(command)
    return _accredit(view, context, command)


def judge(view: View, context: Context, command: Judgement) -> list[Event]:
    """Suspend, reinstate or revoke a grant, as who made it; in standing itself or not.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    context.require(command.granter, Purpose.MANAGE)
    return _judge(view, context, command)


def judge_approved(view: View, context: Context, command: Judgement) -> list[Event]:
    """Suspend, reinstate or revoke a grant by a vote of the network, which then stands for it.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    _require_network(command)
    return _judge(view, context, command)


def find_fault(command: Accredit | Judgement) -> Code | None:
    """Find what is wrong with a command that the network is to vote on, whatever the state."""
    return None if command.granter == NETWORK else Code.WRONG_GRANTER


def find_grant(rows: Rows, issuer: bytes, credential_type: str, time_ms: int) -> Grant | None:
    """Find the grant that was on record at a time; costs O(log versions) reads."""
    latest = rows.get(Grant, issuer, credential_type)
    if latest is None or latest.since_ms <= time_ms:
        return latest
    version = find_version(
        latest.version, lambda number: _get_past(rows, latest, number).until_ms, time_ms
    )
    found = latest if version == latest.version else _get_past(rows, latest, version).grant
    return found if found.since_ms <= time_ms else None


def find_standing(rows: Rows, issuer: bytes, credential_type: str, time_ms: int) -> Standing:
    """Find whether an issuer was accredited for a type at a time, past or present.

    Costs, for each link of the chain, at most four, O(log versions) reads.
    """
    suspended_since_ms = _find_suspension(rows, issuer, credential_type)
    chain: list[Grant] = []
    holder = issuer
    while holder != NETWORK or not chain:
        grant = find_grant(rows, holder, credential_type, time_ms)
        if grant is None:
            missing, since_ms = _tell_missing(rows, holder, credential_type)
            return Standing(missing, holder, since_ms, tuple(chain), suspended_since_ms)
        fault, since_ms = _check_link(grant, chain[-1] if chain else None, time_ms)
        if fault is not None:
            return Standing(fault, holder, since_ms, tuple(chain), suspended_since_ms)
        chain.append(grant)
        holder = grant.granter
    return Standing(None, issuer, chain[0].since_ms, tuple(chain), suspended_since_ms)


def _require_network(command: Accredit | Judgement) -> None:
    if find_fault(command) is not None:
        raise Refused(Code.WRONG_GRANTER, granter=command.granter)


def _accredit(view: View, context: Context, command: Accredit) -> list[Event]:
    # CHECK
    issuer, credential_type, granter = command.issuer, command.credential_type, command.granter
    if not max(command.from_ms, context.time_ms) < command.until_ms:
        raise Refused(Code.WRONG_TIME, time_ms=context.time_ms)
    if schemas.get_type(view, credential_type) is None:
        raise Refused(Code.UNKNOWN_TYPE, credential_type=credential_type)
    if granter != NETWORK:
        own = find_standing(view, granter, credential_type, context.time_ms)
        levels = 0 if own.fault else own.chain[0].may_accredit
        if levels <= command.may_accredit:
            fault = own.fault.value if own.fault else ""
            raise Refused(Code.NOT_ENTITLED, may_accredit=levels, fault=fault)
    before = view.get(Grant, issuer, credential_type)
    if before is not None and granter not in (NETWORK, before.granter):
        standing = find_standing(view, issuer, credential_type, context.time_ms)
        if before.state is not State.GRANTED or standing.fault not in LAPSED:
            raise Refused(Code.NOT_GRANTER, granter=before.granter)
        # Whoever takes an issuer over can suspend it, and so put its past in doubt.
        context.require(issuer, Purpose.MANAGE)
    # The network takes over from any other, wherever that left it: nobody could else grant and
    # suspend first, and so keep an issuer from all who would accredit it.
    is_taken = before is not None and granter == NETWORK != before.granter
    state = State.GRANTED if is_taken else _follow(before, command)
    # CHANGE
    terms = (command.may_accredit, command.from_ms, command.until_ms)
    version = 1 if before is None else before.version + 1
    _put(
        view,
        before,
        Grant(issuer, credential_type, granter, state, *terms, version, context.time_ms),
    )
    # TELL
    return [Accredited(NO_MONEY, granter, issuer, credential_type, *terms)]


def _judge(view: View, context: Context, command: Judgement) -> list[Event]:
    # CHECK
    before = view.get(Grant, command.issuer, command.credential_type)
    if before is None:
        raise Refused(Code.UNKNOWN_GRANT, issuer=command.issuer)
    if command.granter not in (NETWORK, before.granter):
        raise Refused(Code.NOT_GRANTER, granter=before.granter)
    state = _follow(before, command)
    # CHANGE
    after = msgspec.structs.replace(
        before,
        granter=command.granter,
        state=state,
        version=before.version + 1,
        since_ms=context.time_ms,
        reason=command.reason,
        reason_hash=command.reason_hash,
    )
    _put(view, before, after)
    # TELL
    told = (command.reason, command.reason_hash)
    grant = (command.granter, command.issuer, command.credential_type)
    return [TOLD[type(command)](NO_MONEY, *grant, *told)]


def _follow(before: Grant | None, command: Accredit | Judgement) -> State:
    state = State.NONE if before is None else before.state
    following = LIFE.get((state, type(command)))
    if following is None:
        raise Refused(Code.WRONG_STATE, state=state.value)
    return following


def _put(view: View, before: Grant | None, after: Grant) -> None:
    """Put a grant on record, and what it was before."""
    if before is not None:
        view.put(
            PastGrant(before.issuer, before.credential_type, before.version, before, after.since_ms)
        )
    view.put(after)


def _get_past(rows: Rows, latest: Grant, version: int) -> PastGrant:
    past = rows.get(PastGrant, latest.issuer, latest.credential_type, version)
    if past is None:
        raise Corrupt(f"version {version} of the grant of {latest.issuer.hex()} is not on record")
    return past


def _check_link(grant: Grant, below: Grant | None, time_ms: int) -> tuple[Fault | None, int]:
    """Check one link of a chain at a time; returns its fault and since when."""
    if grant.state is State.SUSPENDED:
        return Fault.SUSPENDED, grant.since_ms
    if grant.state is State.REVOKED:
        return Fault.REVOKED, grant.since_ms
    if time_ms < grant.from_ms:
        return Fault.NOT_YET, grant.from_ms
    if time_ms > grant.until_ms:
        return Fault.EXPIRED, grant.until_ms
    if below is not None and grant.may_accredit <= below.may_accredit:
        return Fault.NOT_ENTITLED, grant.since_ms
    return None, grant.since_ms


def _tell_missing(rows: Rows, holder: bytes, credential_type: str) -> tuple[Fault, int]:
    """Tell of a grant that was not on record whether, and from when on, it came later."""
    latest = rows.get(Grant, holder, credential_type)
    if latest is None:
        return Fault.NEVER, 0
    first = latest if latest.version == 1 else _get_past(rows, latest, 1).grant
    return Fault.NOT_YET, max(first.from_ms, first.since_ms)


def _find_suspension(rows: Rows, issuer: bytes, credential_type: str) -> int:
    """Find since when a link of the present chain has been suspended or revoked; 0 if none is."""
    found: list[int] = []
    holder, levels = issuer, -1
    while holder != NETWORK:
        grant = rows.get(Grant, holder, credential_type)
        if grant is None or grant.may_accredit <= levels:
            break
        if grant.state is not State.GRANTED:
            found.append(grant.since_ms)
        holder, levels = grant.granter, grant.may_accredit
    return min(found, default=0)


COMMANDS: dict[str, tuple[type[Command], Function]] = {
    "accredit": (Accredit, accredit),
    "suspend": (Suspend, judge),
    "reinstate": (Reinstate, judge),
    "revoke": (Revoke, judge),
}

APPROVED: dict[str, tuple[type[Command], Function]] = {
    "accredit": (Accredit, accredit_approved),
    "suspend_accreditation": (Suspend, judge_approved),
    "reinstate_accreditation": (Reinstate, judge_approved),
    "revoke_accreditation": (Revoke, judge_approved),
}
"""What a vote of the network may decide (see `governance`)."""
