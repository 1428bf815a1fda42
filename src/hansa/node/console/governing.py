"""Governance as the pages show it: proposals, rules, policy and contracts, as of a moment."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from hansa.contracts import policy
from hansa.contracts.actions import SetPolicy
from hansa.contracts.activations import Activation, Activations
from hansa.contracts.currency import Asset
from hansa.contracts.members import Register, Roster
from hansa.contracts.policy import Policy, PolicyEntry
from hansa.contracts.proposals import (
    DEFAULT_RULES,
    LastNumber,
    Proposal,
    ProposalClass,
    Rule,
    State,
)
from hansa.contracts.wallets import Category
from hansa.kernel.calendar import DAY_MS
from hansa.kernel.crypto.address import to_text
from hansa.node.console.reading import Reader
from hansa.node.console.text import words
from hansa.node.console.text.explain import Code, Fragment, Moment, Sentence, describe_action
from hansa.node.console.text.formatting import (
    format_bytes,
    format_duration,
    format_minor,
    format_offset,
    shorten,
)

PROPOSALS_SHOWN = 50
_SPONSOR_PREFIX = "sponsor.quota."
_LIMITS_PREFIX = "wallet.limits."
_RISK_KEYS = (policy.ATTESTATION_FROM, policy.MODEL_FROM)
"""Alone of all assets, or with a dot and an asset behind them."""


@dataclass(frozen=True, slots=True)
class ProposalLine:
    """A proposal, what it would do, and how it stands now."""

    proposal: Proposal
    sentence: Sentence
    values: tuple[Sentence, ...]
    """What a policy would be set to, one phrase a value; of other proposals none."""
    about: str
    """What that policy governs."""
    state: State

    @property
    def percents(self) -> tuple[int, int, int]:
        """Shares for, against, and needed, of all weight."""
        row = self.proposal
        return tuple(100 * part // row.total for part in (row.approved, row.rejected, row.needed))  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class PolicyLine:
    """One policy: its values in force in words, and what is scheduled."""

    name: str
    what: str
    in_force: tuple[tuple[Fragment, ...], ...]
    since_ms: int
    scheduled: tuple[tuple[int, tuple[tuple[Fragment, ...], ...]], ...]
    """(effective time, values in words)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one wallet category from a moment on, in minor units; 0 for none."""

    category: Category
    from_ms: int
    values: tuple[int, ...]
    """Balance, single payment, day, year."""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """One change of policy that will take effect."""

    name: str
    what: str
    from_ms: int
    now: tuple[tuple[Fragment, ...], ...]
    then: tuple[tuple[Fragment, ...], ...]


@dataclass(frozen=True, slots=True)
class PolicyPage:
    """All policy: wallet limits, whatever else is in force, and what will change."""

    limits: tuple[Limits, ...]
    """Of the categories, from the least identified."""
    exponent: int | None
    """Digits of all assets, if they are the same."""
    others: tuple[PolicyLine, ...]
    scheduled: tuple[Scheduled, ...]
    """Soonest first."""


@dataclass(frozen=True, slots=True)
class RuleLine:
    """How one class of proposals decides."""

    group: ProposalClass
    what: str
    rule: Rule


@dataclass(frozen=True, slots=True)
class GovernancePage:
    """Everything about who decides what."""

    proposals: tuple[ProposalLine, ...]
    older: int
    """Proposals that are on the ledger but not shown."""
    roster: Roster | None
    rules: tuple[RuleLine, ...]
    contracts: tuple[Activation, ...]
    waiting: tuple[Activation, ...]


def read_governance(reader: Reader) -> GovernancePage:
    """Read who decides what, and what was decided."""
    head = reader.head
    last = reader.load(LastNumber)
    top = 0 if last is None else last.number
    numbers = range(top, max(0, top - PROPOSALS_SHOWN), -1)
    rows = [reader.load(Proposal, number) for number in numbers]
    register = reader.load(Register)
    activations = reader.load(Activations)
    exponent = _find_exponent(reader)
    entries = () if activations is None else activations.entries
    return GovernancePage(
        tuple(_read_proposal(row, exponent, head.time_ms) for row in rows if row is not None),
        max(0, top - PROPOSALS_SHOWN),
        None if register is None else reader.load(Roster, register.version),
        tuple(_read_rule(reader, group) for group in ProposalClass),
        _in_force(entries, head.height),
        tuple(entry for entry in entries if entry.from_height > head.height),
    )


def _read_proposal(row: Proposal, exponent: int | None, now_ms: int) -> ProposalLine:
    sentence = describe_action(row.kind, row.arguments)
    state = row.standing(now_ms)
    if row.kind != "set_policy":
        return ProposalLine(row, sentence, (), "", state)
    action = msgspec.msgpack.decode(row.arguments, type=SetPolicy)
    values = describe_values(action.key, action.values, exponent)
    return ProposalLine(row, sentence, values, _name_policy(action.key), state)


def _find_exponent(reader: Reader) -> int | None:
    """Find the digits of all assets, if they are the same."""
    exponents = {asset.exponent for asset in reader.load_all(Asset)}
    return exponents.pop() if len(exponents) == 1 else None


def _in_force(entries: tuple[Activation, ...], height: int) -> tuple[Activation, ...]:
    """Keep of each contract the version that is in force; entries stand in order of height."""
    found = {entry.contract: entry for entry in entries if entry.from_height <= height}
    return tuple(found[name] for name in sorted(found))


def _read_rule(reader: Reader, group: ProposalClass) -> RuleLine:
    values = reader.get_policy(policy.GOVERNANCE_PREFIX + group.value)
    rule = DEFAULT_RULES[group] if values is None else Rule(*values)
    return RuleLine(group, words.CLASSES[group.value], rule)


def read_policy(reader: Reader) -> PolicyPage:
    """Read all policy as of now."""
    now = reader.head.time_ms
    exponent = _find_exponent(reader)
    rows = reader.load_all(Policy)
    lines = tuple(_read_line(row, now, exponent) for row in rows)
    limits = []
    for category in sorted(Category, reverse=True):
        row = reader.load(Policy, f"{_LIMITS_PREFIX}{category.value}")
        past = [entry for entry in (row.entries if row else ()) if entry.effective_ms <= now]
        if past:
            limits.append(Limits(category, past[-1].effective_ms, past[-1].values))
    scheduled = [
        Scheduled(line.name, line.what, from_ms, line.in_force, values)
        for line in lines
        for from_ms, values in line.scheduled
    ]
    return PolicyPage(
        tuple(limits),
        exponent,
        tuple(line for line in lines if not line.name.startswith(_LIMITS_PREFIX)),
        tuple(sorted(scheduled, key=lambda each: (each.from_ms, each.name))),
    )


def _read_line(row: Policy, now_ms: int, exponent: int | None) -> PolicyLine:
    past = [entry for entry in row.entries if entry.effective_ms <= now_ms]
    ahead = [entry for entry in row.entries if entry.effective_ms > now_ms]
    return PolicyLine(
        row.name,
        _name_policy(row.name),
        describe_values(row.name, past[-1].values, exponent) if past else (),
        past[-1].effective_ms if past else 0,
        tuple(_describe_entry(row.name, entry, exponent) for entry in ahead),
    )


def _describe_entry(
    name: str, entry: PolicyEntry, exponent: int | None
) -> tuple[int, tuple[tuple[Fragment, ...], ...]]:
    return entry.effective_ms, describe_values(name, entry.values, exponent)


def _name_policy(name: str) -> str:
    if name.startswith(policy.GOVERNANCE_PREFIX):
        group = name.removeprefix(policy.GOVERNANCE_PREFIX)
        return f"How proposals decide: {words.CLASSES.get(group, group).lower()}"
    if name.startswith(_SPONSOR_PREFIX):
        member = to_text(bytes.fromhex(name.removeprefix(_SPONSOR_PREFIX)))
        return f"What {shorten(member)} may bring into blocks"
    for key in _RISK_KEYS:
        if name.startswith(f"{key}."):
            return f"{words.POLICIES[key]}, of {name.removeprefix(f'{key}.')}"
    return words.POLICIES.get(name, name)


def describe_values(
    name: str, values: tuple[int, ...], exponent: int | None
) -> tuple[tuple[Fragment, ...], ...]:
    """Say what a policy's values mean, one phrase a value.

    Amounts are minor units of every asset; where all have as many digits, `exponent`, they are
    shown in major ones.
    """
    if name == "zone.offset_minutes":
        return ((format_offset(values[0]),),)
    if name.startswith(_LIMITS_PREFIX):
        labels = ("balance", "single payment", "day", "year")
        return tuple(
            (f"{label}: ", _amount(value, exponent) if value else "no limit")
            for label, value in zip(labels, values, strict=True)
        )
    if name.startswith(_RISK_KEYS):
        return (("from ", _amount(values[0], exponent)),) if values[0] else (("never needed",),)
    if name.endswith(("_days", "_days_max")):
        return ((format_duration(values[0] * DAY_MS),),)
    if name == "sponsor.quota" or name.startswith(_SPONSOR_PREFIX):
        size, envelopes, refusals, rows = values
        return (
            (f"{format_bytes(size)} a day",),
            (f"{envelopes:,} transactions a day",),
            (f"{refusals:,} refusals a day",),
            (f"{rows:,} rows stored",),
        )
    if name.startswith(policy.GOVERNANCE_PREFIX):
        share, total, lock_ms, voting_ms = values
        return (
            (f"{share} of {total} of the weight",),
            (f"time lock {format_duration(lock_ms)}",),
            (f"voting {format_duration(voting_ms)}",),
        )
    return tuple((Code(f"{value:,}"),) for value in values)


def _amount(amount_minor: int, exponent: int | None) -> str:
    if exponent is None:
        return f"{amount_minor:,} minor units"
    return format_minor(amount_minor, exponent)


def describe_time(time_ms: int) -> Fragment:
    """Name a moment; the start of the network where it is zero."""
    return Moment(time_ms) if time_ms else "the start"
