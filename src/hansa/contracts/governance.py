"""Governance: proposals, weighted votes, time locks, vetoes, and what they put into force.

Who votes, and how much it takes, depends on the proposal's class and is fixed when it is made.
Money is decided by the central bank's officers and nobody else. All else is decided by the
validators' weights, and the central bank may veto most of it during the time lock; a third of the
weight may veto anything then. Contracts are put into force once more than two thirds of the
voting power report to run them. Units: weights are votes; milliseconds of ledger time.

Source: docs/reference/governance.md; docs/decisions/0002-governance.md.
"""

from __future__ import annotations

import msgspec

from hansa.contracts import accounts, members, policy
from hansa.contracts.actions import (
    ACTIONS,
    Action,
    SetMemberKeys,
    SetPolicy,
    check_sound,
    decode_action,
    get_group,
)
from hansa.contracts.activations import Activation as Activation
from hansa.contracts.activations import Activations as Activations
from hansa.contracts.activations import ReportCode, report_code
from hansa.contracts.activations import get_activations as get_activations
from hansa.contracts.activations import install as install
from hansa.contracts.proposals import (
    CENTRAL_BANK_VETO,
    DAY_MS,
    DEFAULT_RULES,
    ENDED,
    LIFE,
    Code,
    Docket,
    Elector,
    Executed,
    LastNumber,
    Objected,
    Passed,
    Proposal,
    ProposalClass,
    Proposed,
    Rejected,
    Rule,
    State,
    Step,
    Swept,
    Vetoed,
    Voted,
)
from hansa.kernel.authority import AuthorityCode, Purpose
from hansa.kernel.contract import NO_MONEY, Command, Event, Function
from hansa.kernel.errors import Refused
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View
from hansa.kernel.values import Address, Positive

NAME = "governance"
VERSION = 1
PROPOSALS_MAX = 32
"""Kept of one proposer, or officer; the oldest ended ones make room."""
EXECUTE_WITHIN_MS = 30 * DAY_MS


class Propose(Command, frozen=True, array_like=True):
    """Make a proposal; the proposer's own weight approves it at once."""

    proposer: Address
    action: Action


class Vote(Command, frozen=True, array_like=True):
    """Approve or reject a proposal, once."""

    number: Positive
    voter: Address
    """A validator; for money, the key of an officer of the central bank."""
    approve: bool


class Veto(Command, frozen=True, array_like=True):
    """Stop a passed proposal during its time lock, alone or as part of a third."""

    number: Positive
    voter: Address


class Execute(Command, frozen=True, array_like=True):
    """Carry out a passed proposal after its time lock; anyone may send it."""

    number: Positive


class Sweep(Command, frozen=True, array_like=True):
    """Remove a proposal that has ended; anyone may send it."""

    number: Positive


def propose(view: View, context: Context, command: Propose) -> list[Event]:
    """Make a proposal with the weights of this moment; the proposer approves it by making it.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    action = decode_action(command.action)
    check_sound(command.action.kind, action)
    group = get_group(command.action.kind, action)
    electors = _list_electors(view, group, action)
    electors = _approve_at_once(view, context, command.proposer, group, electors, action)
    rule = _get_rule(view, context.time_ms, group, action)
    maker = _find_maker(command.proposer, group, electors)
    kept, dropped = _make_room(view, context, maker)
    proposal = _draft(view, context, command, group, rule, electors, maker)
    proposal, outcome = _count(view, context, proposal)
    # CHANGE
    if dropped is not None:
        view.delete(Proposal, dropped)
    view.put(proposal)
    view.put(LastNumber(proposal.number))
    view.put(Docket(maker, (*kept, proposal.number)))
    # TELL
    return [
        *([] if dropped is None else [Swept(NO_MONEY, dropped)]),
        Proposed(
            NO_MONEY,
            proposal.number,
            proposal.proposer,
            group,
            proposal.kind,
            proposal.arguments,
            proposal.closes_ms,
            proposal.needed,
            proposal.total,
        ),
        *outcome,
    ]


def vote(view: View, context: Context, command: Vote) -> list[Event]:
    """Approve or reject; the proposal passes, or fails, as soon as that is certain.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    proposal = _get_proposal(view, command.number)
    _require_step(proposal, Step.VOTE, context.time_ms)
    elector = _require_elector(view, context, proposal, command.voter)
    if elector.approves is not None:
        raise Refused(Code.ALREADY_VOTED, voter=command.voter)
    voted = msgspec.structs.replace(elector, approves=command.approve)
    proposal, outcome = _count(view, context, _with_elector(proposal, voted))
    # CHANGE
    view.put(proposal)
    # TELL
    event = Voted(NO_MONEY, command.number, command.voter, command.approve, elector.weight)
    return [event, *outcome]


def veto(view: View, context: Context, command: Veto) -> list[Event]:
    """Stop a passed proposal during its time lock, alone or as part of a third of the weight.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    proposal = _get_proposal(view, command.number)
    stopped = _require_step(proposal, Step.VETO, context.time_ms)
    if context.time_ms >= proposal.ready_ms:
        raise Refused(Code.LOCK_OVER, ready_ms=proposal.ready_ms)
    events: list[Event] = []
    if _may_veto_alone(view, context, proposal, command.voter):
        proposal = msgspec.structs.replace(proposal, state=stopped)
    else:
        elector = _require_elector(view, context, proposal, command.voter)
        if elector.objects:
            raise Refused(Code.ALREADY_VOTED, voter=command.voter)
        proposal = _with_elector(proposal, msgspec.structs.replace(elector, objects=True))
        events.append(Objected(NO_MONEY, command.number, command.voter, elector.weight))
        is_blocked = 3 * proposal.objected >= proposal.total
        step = Step.VETO if is_blocked else Step.OBJECT
        proposal = msgspec.structs.replace(proposal, state=LIFE[proposal.state, step])
    # CHANGE
    view.put(proposal)
    # TELL
    if proposal.state is State.VETOED:
        events.append(Vetoed(NO_MONEY, command.number, command.voter))
    return events


def execute(view: View, context: Context, command: Execute) -> list[Event]:
    """Carry out a passed proposal; if its action is refused, it stays passed for a later try.

    Raises:
      Refused: with a `Code`, the first that applies, or with the action's own.
    """
    # CHECK
    proposal = _get_proposal(view, command.number)
    following = _require_step(proposal, Step.EXECUTE, context.time_ms)
    if context.time_ms < proposal.ready_ms:
        raise Refused(Code.LOCKED, ready_ms=proposal.ready_ms)
    approved, needed = _sum_approved_now(view, proposal), _compute_needed_now(view, proposal)
    if approved < needed:
        raise Refused(Code.NOT_CARRIED, approved=approved, needed=needed)
    action = _decode_proposed(proposal)
    # CHANGE
    events = ACTIONS[proposal.kind].function(view, context, action)
    view.put(msgspec.structs.replace(proposal, state=following))
    # TELL
    return [*events, Executed(NO_MONEY, command.number)]


def sweep(view: View, context: Context, command: Sweep) -> list[Event]:
    """Remove a proposal that has ended.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    proposal = _get_proposal(view, command.number)
    state = proposal.standing(context.time_ms)
    if state not in ENDED:
        raise Refused(Code.WRONG_STATE, state=state.value)
    docket = view.get(Docket, proposal.maker)
    numbers = () if docket is None else docket.numbers
    # CHANGE
    view.delete(Proposal, command.number)
    kept = tuple(number for number in numbers if number != command.number)
    if kept:
        view.put(Docket(proposal.maker, kept))
    else:
        view.delete(Docket, proposal.maker)
    # TELL
    return [Swept(NO_MONEY, command.number)]


def get_proposal(view: View, number: int) -> Proposal | None:
    """Get a proposal that has not been swept."""
    return view.get(Proposal, number)


def _find_maker(proposer: bytes, group: ProposalClass, electors: tuple[Elector, ...]) -> bytes:
    """Find whose docket a proposal stands in: of money the first officer's who made it."""
    if group is not ProposalClass.MONETARY:
        return proposer
    return next(elector.address for elector in electors if elector.approves)


def _draft(  # noqa: PLR0913 - all that a proposal is made from
    view: View,
    context: Context,
    command: Propose,
    group: ProposalClass,
    rule: Rule,
    electors: tuple[Elector, ...],
    maker: bytes,
) -> Proposal:
    """Build the proposal as it stands before its first count."""
    last = view.get(LastNumber)
    roster = members.get_roster(view)
    return Proposal(
        number=1 if last is None else last.number + 1,
        proposer=command.proposer,
        group=group,
        kind=command.action.kind,
        arguments=bytes(command.action.arguments),
        state=State.OPEN,
        roster_version=1 if roster is None else roster.version,
        electors=electors,
        needed=_compute_needed(view, group, rule, electors),
        opened_ms=context.time_ms,
        closes_ms=context.time_ms + rule.voting_ms,
        time_lock_ms=rule.time_lock_ms,
        maker=maker,
    )


def _get_rule(view: View, time_ms: int, group: ProposalClass, action: Command) -> Rule:
    """Get the rule a proposal is under; changing a rule takes the higher of old and new."""
    rule = _read_rule(view, time_ms, group)
    if group is not ProposalClass.CONSTITUTION or not isinstance(action, SetPolicy):
        return rule
    changed = ProposalClass(action.key.removeprefix(policy.GOVERNANCE_PREFIX))
    old = _read_rule(view, time_ms, changed)
    highest = rule.higher_threshold(old).higher_threshold(Rule(*action.values))
    time_lock_ms = max(rule.time_lock_ms, old.time_lock_ms)
    return msgspec.structs.replace(highest, time_lock_ms=time_lock_ms, voting_ms=rule.voting_ms)


def _read_rule(view: View, time_ms: int, group: ProposalClass) -> Rule:
    values = policy.get_policy(view, policy.GOVERNANCE_PREFIX + group.value, time_ms)
    return DEFAULT_RULES[group] if values is None else Rule(*values)


def _list_electors(view: View, group: ProposalClass, action: Command) -> tuple[Elector, ...]:
    """List who votes, with the weights of this moment."""
    if group is not ProposalClass.MONETARY:
        roster = members.get_roster(view)
        entries = () if roster is None else roster.entries
        return tuple(Elector(entry.address, entry.weight) for entry in entries)
    officers = _get_officers(view, _get_amount(action))
    return tuple(Elector(address, officers[address]) for address in sorted(officers))


def _get_amount(action: Command) -> int:
    """Get how much money an action creates or ends, in minor units; 0 for one that does neither."""
    amount_minor: int = getattr(action, "amount_minor", 0)
    return amount_minor


def _decode_proposed(proposal: Proposal) -> Command:
    return decode_action(Action(proposal.kind, msgspec.Raw(proposal.arguments)))


def _get_officers(view: View, amount_minor: int) -> dict[bytes, int]:
    """Get the central bank's keys for money that may sign for this amount, with their weights."""
    bank = members.get_central_bank(view)
    account = accounts.get_account(view, bank)
    if account is None:
        return {bank: 1}
    return {
        key.address: key.weight
        for key in account.keys
        if key.purposes & Purpose.ISSUE and not key.is_over_limit(amount_minor)
    }


def _get_officers_threshold(view: View) -> int:
    account = accounts.get_account(view, members.get_central_bank(view))
    return 1 if account is None else account.threshold


def _compute_needed(
    view: View, group: ProposalClass, rule: Rule, electors: tuple[Elector, ...]
) -> int:
    if group is ProposalClass.MONETARY:
        return _get_officers_threshold(view)
    return rule.compute_needed(sum(elector.weight for elector in electors))


def _compute_needed_now(view: View, proposal: Proposal) -> int:
    """Officers who raised their threshold meanwhile meant it: the higher one counts."""
    if proposal.group is ProposalClass.MONETARY:
        return max(proposal.needed, _get_officers_threshold(view))
    return proposal.needed


def _sum_approved_now(view: View, proposal: Proposal) -> int:
    """Sum the approving weight; an officer's is never more than the key has at this moment.

    That is nothing for a key that was removed, or whose limit was set below the amount.
    """
    if proposal.group is not ProposalClass.MONETARY:
        return proposal.approved
    officers = _get_officers(view, _get_amount(_decode_proposed(proposal)))
    return sum(
        min(elector.weight, officers[elector.address])
        for elector in proposal.electors
        if elector.approves and elector.address in officers
    )


def _approve_at_once(
    view: View,
    context: Context,
    proposer: bytes,
    group: ProposalClass,
    electors: tuple[Elector, ...],
    action: Command,
) -> tuple[Elector, ...]:
    """Enter the approval of those who make a proposal; refuses who may not make it."""
    bank = members.get_central_bank(view)
    if group is ProposalClass.MONETARY:
        makers = {item.address for item in electors if item.address in context.signers}
        is_allowed = proposer == bank and bool(makers)
        if proposer == bank and not makers:
            _refuse_limited(view, context, action)
    else:
        context.require(proposer, Purpose.VOTE)
        makers = {proposer}
        is_allowed = proposer == bank or any(item.address == proposer for item in electors)
    if not is_allowed:
        raise Refused(Code.NOT_PROPOSER, proposer=proposer)
    return tuple(
        msgspec.structs.replace(item, approves=True) if item.address in makers else item
        for item in electors
    )


def _refuse_limited(view: View, context: Context, action: Command) -> None:
    """Refuse officers who signed and of whom only their keys' limits stand in the way."""
    if not set(context.signers).isdisjoint(_get_officers(view, 0)):
        raise Refused(
            AuthorityCode.OVER_KEY_LIMIT,
            account=members.get_central_bank(view),
            amount_minor=_get_amount(action),
        )


def _require_elector(view: View, context: Context, proposal: Proposal, voter: bytes) -> Elector:
    """Get the vote of who signed; refuses who has none, or is no longer in standing.

    An officer's vote is that of one key, not of an account, so its own signature is asked for.
    """
    if proposal.group is ProposalClass.MONETARY:
        action = _decode_proposed(proposal)
        is_standing = voter in context.signers and voter in _get_officers(view, _get_amount(action))
        if voter in context.signers and not is_standing:
            _refuse_limited(view, context, action)
    else:
        context.require(voter, Purpose.VOTE)
        is_standing = members.is_active(view, voter, members.Role.VALIDATOR)
    for elector in proposal.electors:
        if elector.address == voter and is_standing:
            return elector
    raise Refused(Code.NOT_ELECTOR, voter=voter)


def _may_veto_alone(view: View, context: Context, proposal: Proposal, voter: bytes) -> bool:
    """Whether one voice stops it: the central bank's, or of the member whose keys are not lost."""
    if proposal.group is ProposalClass.KEYS:
        action = _decode_proposed(proposal)
        if isinstance(action, SetMemberKeys) and action.address == voter:
            context.require(voter, Purpose.MANAGE)
            return True
    if proposal.group in CENTRAL_BANK_VETO and voter == members.get_central_bank(view):
        context.require(voter, Purpose.VOTE)
        return True
    return False


def _with_elector(proposal: Proposal, changed: Elector) -> Proposal:
    electors = tuple(
        changed if item.address == changed.address else item for item in proposal.electors
    )
    return msgspec.structs.replace(proposal, electors=electors)


def _count(view: View, context: Context, proposal: Proposal) -> tuple[Proposal, list[Event]]:
    """Decide an open proposal as soon as no further vote can change the outcome."""
    needed = _compute_needed_now(view, proposal)
    if _sum_approved_now(view, proposal) >= needed:
        ready_ms = context.time_ms + proposal.time_lock_ms
        expires_ms = ready_ms + EXECUTE_WITHIN_MS
        state = LIFE[proposal.state, Step.CARRY]
        passed = msgspec.structs.replace(
            proposal, state=state, ready_ms=ready_ms, expires_ms=expires_ms
        )
        return passed, [Passed(NO_MONEY, proposal.number, ready_ms, expires_ms)]
    if proposal.total - proposal.rejected < needed:
        state = LIFE[proposal.state, Step.DEFEAT]
        rejected = msgspec.structs.replace(proposal, state=state)
        return rejected, [Rejected(NO_MONEY, proposal.number)]
    return msgspec.structs.replace(proposal, state=LIFE[proposal.state, Step.VOTE]), []


def _make_room(view: View, context: Context, maker: bytes) -> tuple[tuple[int, ...], int | None]:
    """Return which proposals of a maker stay, and the one that makes room, if one must."""
    docket = view.get(Docket, maker)
    numbers = () if docket is None else docket.numbers
    if len(numbers) < PROPOSALS_MAX:
        return numbers, None
    for number in numbers:
        proposal = view.get(Proposal, number)
        if proposal is None or proposal.standing(context.time_ms) in ENDED:
            return tuple(kept for kept in numbers if kept != number), number
    raise Refused(Code.TOO_MANY_PROPOSALS, proposals_max=PROPOSALS_MAX)


def _get_proposal(view: View, number: int) -> Proposal:
    proposal = view.get(Proposal, number)
    if proposal is None:
        raise Refused(Code.UNKNOWN_PROPOSAL, number=number)
    return proposal


def _require_step(proposal: Proposal, step: Step, time_ms: int) -> State:
    """Return the state that a step leads to; refuses a step the life cycle does not have."""
    state = proposal.standing(time_ms)
    following = LIFE.get((state, step))
    if following is None:
        raise Refused(Code.WRONG_STATE, state=state.value, step=step.value)
    return following


COMMANDS: dict[str, tuple[type[Command], Function]] = {
    "propose": (Propose, propose),
    "vote": (Vote, vote),
    "veto": (Veto, veto),
    "execute": (Execute, execute),
    "sweep": (Sweep, sweep),
    "report_code": (ReportCode, report_code),
}
