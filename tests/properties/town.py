"""A town of random days on the real machine, beside the model of its money.

Rules try whatever people, operators, officers and regulators could try: several acts in one
transaction, several transactions in one block, with too few signers, the wrong sponsor, no risk
decision, twice, around midnight and New Year, while governance changes limits and suspends
operators. After each transaction ledger and model must agree on whether it was accepted; after
each block their books must agree. A `Watch` sees everything that reached a block, and holds it
against one invariant.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.properties.acts import (
    ADDRESSES,
    BORDERS,
    HOUR_MS,
    LIMITS,
    MARK,
    OFFICERS,
    PEOPLE,
    REFS,
    acts,
    address,
    build,
    converting,
    of_vaults,
    officers,
    operators,
    passes,
    rare,
    settling,
    spending,
)
from tests.properties.money import (
    ATTEST_FROM,
    DAY_MS,
    DEPOSIT,
    ISSUERS,
    M0,
    ZONE,
    Act,
    Attempt,
    Money,
    local_date,
)
from tests.world import MINUTE_MS, World, key, make_genesis, open_world

from hansa.contracts import currency, governance, payments, wallets
from hansa.contracts.actions import Action, ReinstateMember, SetPolicy, SuspendMember
from hansa.contracts.balances import Balance
from hansa.contracts.currency import Asset, Vault
from hansa.engine.storage import FileStorage
from hansa.kernel.block import Receipt, Repeated, Status, decode_receipt
from hansa.kernel.errors import Invalid
from hansa.sdk.build import sign_batch


@dataclass(frozen=True)
class Seen:
    """A transaction that was handed in, and what became of it."""

    attempt: Attempt
    outcome: Receipt | Invalid | Repeated
    envelope: bytes
    height: int

    @property
    def events(self) -> list[tuple[str, str, list[object]]]:
        """What it told; nothing unless it is ok."""
        return self.outcome.events if isinstance(self.outcome, Receipt) else []

    @property
    def deltas(self) -> list[tuple[str, str, str, int, int]]:
        """Ledger, owner's name, asset, amount and balance after it, in order."""
        return [
            (delta[0], ADDRESSES[delta[1]], *delta[2:5])
            for _, _, fields in self.events
            for delta in fields[0]  # type: ignore[attr-defined]
        ]

    @property
    def is_ok(self) -> bool:
        """Whether it changed the ledger."""
        return isinstance(self.outcome, Receipt) and self.outcome.status is Status.OK


class Watch:
    """Holds one invariant over all that happens in a town."""

    def __init__(self, town: Town) -> None:
        self.town = town

    def see(self, seen: Seen) -> None:
        """Look at a transaction."""

    def look(self, rows: Rows) -> None:
        """Look at the state after a rule."""

    def leave(self) -> None:
        """Look back at the end."""


@dataclass
class Rows:
    """The money rows of the state, by names."""

    balances: dict[tuple[str, str], Balance] = field(default_factory=dict)
    vaults: dict[tuple[str, str], Vault] = field(default_factory=dict)
    issued: dict[str, int] = field(default_factory=dict)
    payments: dict[tuple[str, str], payments.Payment] = field(default_factory=dict)


class Town(RuleBasedStateMachine):
    """The machine and the model, driven by the same acts."""

    watches: ClassVar[tuple[type[Watch], ...]] = ()
    money: ClassVar[type[Money]] = Money

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        policy: dict[str, tuple[int, ...]] = {
            f"wallet.limits.{category}": values for category, values in LIMITS.items()
        }
        policy["payments.attestation_from_minor"] = (ATTEST_FROM,)
        self.world: World = open_world(FileStorage(self.folder), make_genesis(policy))
        self.model = self.money(
            limits={category: [(0, values)] for category, values in LIMITS.items()}
        )
        self.watching = [watch(self) for watch in self.watches]
        self.sent: list[Seen] = []
        self.proposals = 0

    # --- how things are done ------------------------------------------------------------------

    def hand_in(self, attempts: Sequence[Attempt]) -> list[Seen]:
        """Put transactions of one sponsor into one block, and hold each against the model."""
        envelopes = [
            self.world.sign(
                [key(name) for name in attempt.signers], *(build(act) for act in attempt.acts)
            )
            for attempt in attempts
        ]
        return self.put_in_block(attempts, envelopes)

    def put_in_block(self, attempts: Sequence[Attempt], envelopes: Sequence[bytes]) -> list[Seen]:
        world, sponsor = self.world, attempts[0].sponsor
        items = [
            (envelope, MARK if attempt.attested else None)
            for envelope, attempt in zip(envelopes, attempts, strict=True)
        ]
        name = "officer0" if sponsor == "bank" else sponsor
        signer = key(f"{sponsor} server")
        result = world.apply(sign_batch(world.network, key(name).address, signer, items))
        answers = [
            decode_receipt(result.receipts[outcome]) if isinstance(outcome, int) else outcome
            for outcome in result.outcomes[0]
        ]
        assert not result.failures
        found = [
            Seen(attempt, answer, envelope, result.header.height)
            for attempt, answer, envelope in zip(attempts, answers, envelopes, strict=True)
        ]
        for seen in found:
            for watch in self.watching:
                watch.see(seen)
        return found

    def compare(self, found: Sequence[Seen]) -> None:
        for seen in found:
            must_pass = self.model.carry_out(seen.attempt)
            assert seen.is_ok == must_pass, (seen.attempt, seen.outcome)
        self.sent += found

    def read_rows(self) -> Rows:
        """Read all money rows of the state, as of the newest block."""
        rows = Rows()
        state = self.world.chain.machine.state
        for name in (*PEOPLE, "north", "south", "bank"):
            for asset in ISSUERS:
                owner = address(name)
                balance = state.load(Balance, Balance.key(owner, asset))
                vault = state.load(Vault, Vault.key(owner, asset))
                if balance is not None:
                    rows.balances[name, asset] = balance
                if vault is not None:
                    rows.vaults[name, asset] = vault
            for ref in REFS:
                row = state.load(payments.Payment, payments.Payment.key(address(name), ref))
                if row is not None:
                    rows.payments[name, ref] = row
        for asset in ISSUERS:
            found = state.load(Asset, Asset.key(asset))
            rows.issued[asset] = found.issued_minor if found else 0
        return rows

    # --- rules --------------------------------------------------------------------------------

    @initialize()
    def found_the_town(self) -> None:
        """Define the deposit, set quotas, issue, open wallets and fund them."""
        define = currency.Define(DEPOSIT, "MOP", address("north"), currency.Regime.DEPOSIT, 2)
        assert self.world.do(OFFICERS, define) == ""
        for name, (operator, category) in PEOPLE.items():
            opening = wallets.Open(address(name), address(operator), wallets.Category(category))
            assert self.world.do(operator, opening) == ""
            self.model.wallets[name] = (operator, category)
        for operator in ("north", "south"):
            issue = (
                Act("set_quota", operator, amount=6_000),
                Act("issue", operator, amount=4_000),
            )
            self.try_it(issue, OFFICERS, "bank", attested=False)
        self.try_it((Act("set_quota", "north", "", DEPOSIT, 3_000),), OFFICERS, "bank")
        self.try_it((Act("issue", "north", "", DEPOSIT, 2_000),), ("north",), "north")
        for name in PEOPLE:
            cash = tuple(
                Act("cash_in", "north", name, asset, 600, f"{name} {asset}") for asset in ISSUERS
            )
            self.try_it(cash, ("north",), "north")
        until_ms = self.world.time_ms + 20 * DAY_MS
        for number, (payer, payee) in enumerate((("ann", "shop"), ("shop", "bob"))):
            asset = (M0, DEPOSIT)[number]
            begun = (
                Act("pay", payer, payee, asset, 100, "1"),
                Act("hold", payer, payee, asset, 90, "2", until_ms),
                Act("hold", payer, payee, asset, 80, "3", until_ms),
            )
            self.try_it(begun, (payer,), PEOPLE[payer][0])
        assert all(seen.is_ok for seen in self.sent)

    def try_it(
        self,
        acts_tried: tuple[Act, ...],
        signers: tuple[str, ...],
        sponsor: str,
        *,
        attested: bool = True,
    ) -> None:
        """Try one transaction in a block of its own."""
        attempt = Attempt(acts_tried, signers, sponsor, attested, self.world.time_ms)
        self.compare(self.hand_in([attempt]))

    @rule(
        tried=st.lists(st.lists(acts, min_size=1, max_size=3), min_size=1, max_size=3),
        banked=officers,
        sponsor=st.sampled_from(("", "", "", "north", "south", "bank")),
        attested=st.sampled_from((True, True, False)),
        forgotten=st.sampled_from((None, None, None, None, None, None, 0, 1)),
        passed=passes,
    )
    def transact(
        self,
        tried: list[list[Act]],
        banked: tuple[str, ...],
        sponsor: str,
        attested: bool,
        forgotten: int | None,
        passed: int,
    ) -> None:
        """Put one to three transactions of one to three acts into one block."""
        self.world.time_ms += passed
        time_ms = self.world.time_ms
        sponsor = sponsor or PEOPLE.get(self.find_sense(tried[0][0]).a, ("north",))[0]
        attempts = []
        for these in tried:
            sensible = tuple(self.find_sense(act) for act in these)
            signers = list(
                dict.fromkeys(name for act in sensible for name in self.list_signers(act, banked))
            )
            if forgotten is not None and len(signers) > forgotten + 1:
                del signers[forgotten]
            attempts.append(Attempt(sensible, tuple(signers), sponsor, attested, time_ms))
        self.compare(self.hand_in(attempts))

    @rule(act=spending, passed=passes)
    def spend(self, act: Act, passed: int) -> None:
        """Try one payment or hold."""
        self.do_one_thing(act, passed)

    @rule(act=settling, passed=passes)
    def settle(self, act: Act, passed: int) -> None:
        """Try to take, give back or refund."""
        self.do_one_thing(act, passed)

    @rule(act=converting, passed=passes)
    def convert(self, act: Act, passed: int) -> None:
        """Try to move money between wallet and vault."""
        self.do_one_thing(act, passed)

    @rule(act=rare, passed=passes)
    def do_rarely(self, act: Act, passed: int) -> None:
        """Try what operators, regulators and owners do now and then."""
        self.do_one_thing(act, passed)

    @rule(act=of_vaults("issue", "destroy", "redeem", "set_quota"), passed=passes, banked=officers)
    def rule_over_money(self, act: Act, passed: int, banked: tuple[str, ...]) -> None:
        """Try to make or end money, with officers enough or too few."""
        self.do_one_thing(act, passed, banked)

    @rule(act=st.one_of(spending, settling, converting), by_order=st.booleans(), passed=passes)
    def freeze_and_try(self, act: Act, by_order: bool, passed: int) -> None:
        """Freeze who would give or get money, then try it all the same."""
        meant = self.find_sense(act)
        person = next(name for name in (meant.a, meant.b, "ann") if name in PEOPLE)
        word, signer = ("freeze", "regulator") if by_order else ("self_freeze", person)
        self.try_it((Act(word, person),), (signer,), "bank")
        self.do_one_thing(act, passed)

    def do_one_thing(self, act: Act, passed: int, banked: tuple[str, ...] = OFFICERS) -> None:
        """Try one act, with everything that it takes."""
        self.world.time_ms += passed
        act = self.find_sense(act)
        sponsor = PEOPLE.get(act.a, ("north",))[0]
        sponsor = "bank" if sponsor in self.model.suspended else sponsor
        signers = tuple(dict.fromkeys(self.list_signers(act, banked)))
        self.try_it((act,), signers, sponsor, attested=act.amount % 6 != 0)

    def find_sense(self, act: Act) -> Act:
        """Mostly turn an act to something that is there: a hold to take, a payment to refund."""
        act = replace(act, until_ms=self.world.time_ms + act.until_ms)
        if act.amount % 7 == 1:
            return act
        kinds = {"post": "held", "void": "held", "refund": "paid"}
        fitting = sorted(
            (payer, ref)
            for (payer, ref), paid in self.model.payments.items()
            if payer in PEOPLE and paid.kind == kinds.get(act.word, paid.kind)
        )
        if act.word in {"post", "void", "refund", "sweep"} and fitting:
            payer, ref = fitting[act.amount % len(fitting)]
            paid = self.model.payments[payer, ref]
            part = 1 + act.amount % max(1, paid.amount - paid.refunded)
            amount = act.amount if act.amount % 4 == 3 else part
            if act.word == "refund":
                return replace(act, a=payer, b=ref, amount=amount)
            return replace(act, a=payer, b=paid.payee, ref=ref, amount=amount)
        if act.word in {"pay", "hold"} and act.a == act.b:
            others = [name for name in PEOPLE if name != act.a]
            return replace(act, b=others[act.amount % len(others)])
        return act

    def list_signers(self, act: Act, banked: tuple[str, ...]) -> tuple[str, ...]:
        """List whose keys an act takes, as who tries it believes."""
        if act.word in {"freeze", "unfreeze"}:
            return ("regulator",)
        if act.word in {"post", "void"}:
            return (act.b,)
        if act.word == "refund":
            paid = self.model.payments.get((act.a, act.b))
            return (paid.payee if paid and paid.payee in PEOPLE else act.a,)
        if act.word in {"issue", "redeem", "destroy", "set_quota"}:
            issuer = ISSUERS[M0 if act.word == "set_quota" else act.asset]
            own = banked if issuer == "bank" else (issuer,)
            return (*own, act.a) if act.word == "redeem" and act.a != "bank" else own
        return banked if act.a == "bank" else (act.a,)

    @rule(length=st.sampled_from((1, HOUR_MS, DAY_MS, 31 * DAY_MS, 370 * DAY_MS, *BORDERS)))
    def pass_time(self, length: int | str) -> None:
        """Let ledger time go on; or to the border of the zone's day or year, or just before it."""
        if isinstance(length, int):
            self.world.time_ms += length
            return
        today = local_date(self.world.time_ms)
        border = datetime(today.year, today.month, today.day, tzinfo=ZONE) + timedelta(days=1)
        if "year" in length:
            border = datetime(today.year + 1, 1, 1, tzinfo=ZONE)
        self.world.time_ms = int(border.timestamp() * 1000) - ("before" in length)

    @precondition(lambda self: len(self.sent) % 4 == 0)
    @rule(operator=operators, category=st.sampled_from((3, 4)), factor=st.integers(0, 5))
    def decide(self, operator: str, category: int, factor: int) -> None:
        """Let governance set limits for a later day, suspend an operator, or reinstate it."""
        if self.model.suspended:
            operator = min(self.model.suspended)
            self.govern(Action.of("reinstate_member", ReinstateMember(address(operator))))
            self.model.suspended.remove(operator)
        elif factor > 3:
            self.govern(Action.of("suspend_member", SuspendMember(address(operator))))
            self.model.suspended.add(operator)
        else:
            values = tuple(factor * value for value in LIMITS[category])
            effective_ms = self.world.time_ms + 2 * DAY_MS
            change = SetPolicy(f"wallet.limits.{category}", effective_ms, values)
            self.govern(Action.of("set_policy", change))
            self.model.limits[category].append((effective_ms, values))  # type: ignore[arg-type]

    @precondition(lambda self: self.model.ordered or self.model.self_frozen)
    @rule()
    def thaw(self) -> None:
        """Lift every order, and every freeze of an owner's own."""
        for name in sorted(self.model.ordered):
            self.try_it((Act("unfreeze", name),), ("regulator",), "bank")
        for name in sorted(self.model.self_frozen):
            self.try_it((Act("self_unfreeze", name),), (name,), "bank")

    def govern(self, action: Action) -> None:
        """Carry a proposal, wait for its lock, and carry it out; the bank brings it in."""
        self.proposals += 1
        for command in (
            governance.Propose(address("bank"), action),
            governance.Execute(self.proposals),
        ):
            envelope = self.world.sign([key(name) for name in OFFICERS], command)
            items = [(envelope, None)]
            batch = sign_batch(self.world.network, address("bank"), key("bank server"), items)
            outcome = self.world.apply(batch)
            receipt = decode_receipt(outcome.receipts[0])
            assert receipt.code == ""
            self.world.time_ms += DAY_MS

    @precondition(lambda self: len(self.sent) % 3 == 0)
    @rule(place=st.integers(0, 10**6))
    def repeat(self, place: int) -> None:
        """Hand something in again that was handed in before: it changes nothing."""
        earlier = self.sent[place % len(self.sent)]
        attempt = earlier.attempt
        again = Attempt(
            attempt.acts, attempt.signers, attempt.sponsor, attempt.attested, self.world.time_ms
        )
        (seen,) = self.put_in_block([again], [earlier.envelope])
        was_in_block = isinstance(earlier.outcome, Receipt)
        is_stale = self.world.time_ms > attempt.time_ms + MINUTE_MS
        if attempt.sponsor in self.model.suspended:
            assert isinstance(seen.outcome, Invalid)
        elif is_stale:
            assert isinstance(seen.outcome, Invalid)
            assert seen.outcome.code == "EXPIRED"
        elif was_in_block:
            assert isinstance(seen.outcome, Repeated)
        else:
            self.compare([seen])

    @invariant()
    def books_agree(self) -> None:
        """The state holds what the model says, to the cent."""
        rows, model = self.read_rows(), self.model
        for place, balance in rows.balances.items():
            assert balance.available_minor == model.free[place], place
            assert balance.held_minor == model.held[place], place
        for place, vault in rows.vaults.items():
            assert vault.balance_minor == model.vaults[place], place
            assert vault.issued_minor == model.outstanding[place], place
        for asset, minor in rows.issued.items():
            assert minor == model.issued[asset] == model.total(asset)
        for watch in self.watching:
            watch.look(rows)

    def teardown(self) -> None:
        """Look back, and leave nothing on disk."""
        try:
            for watch in self.watching:
                watch.leave()
        finally:
            self.world.chain.log.close()
            shutil.rmtree(self.folder)
