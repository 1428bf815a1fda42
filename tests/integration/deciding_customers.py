"""Customers of two operators that decide, and what must be true of both operators' journals."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from tests.integration.deciding_processes import ATTESTED_FROM_MINOR, Operator
from tests.integration.network_process import PASSPHRASE
from tests.integration.paying import GIVEN_MINOR, PATIENCE_S, Load, load_keys
from tests.world import ASSET, key, pay

from hansa.contracts import currency, payments, wallets
from hansa.contracts.risk.in_force import is_model_needed
from hansa.engine.chain import Chain
from hansa.engine.record_items import find_envelope
from hansa.kernel.block import Receipt, compute_position, decode_header, decode_receipt
from hansa.kernel.errors import Invalid, NotFound, Unavailable
from hansa.kernel.machine.state import Reader
from hansa.node.home import open_chain_read_only
from hansa.node.risk.audit.repeating import repeat
from hansa.node.risk.clerk.format import KeptDecision
from hansa.node.risk.clerk.journal import NEWEST, Held, Journal
from hansa.node.risk.clerk.memory import hash_wallet
from hansa.node.risk.reading import Intended, find_paid
from hansa.risk.decisions.commitment import Executed, decode_record, open_commitment
from hansa.risk.intake.describing import FEATURES
from hansa.risk.intake.intake import Taken
from hansa.risk.packing import unpack
from hansa.risk.verdicts import Verdict
from hansa.sdk.build import VALIDITY_MS
from hansa.sdk.risk.desk_answers import HeldTransaction

MULE = "mule"
"""Kept by the first operator; customers of both pay it."""
PEOPLE = 24
"""Half of them customers of each operator."""
SUSPICIOUS = 4
"""So many of them pay what is not allowed."""
OWN, SEVERAL, TO_MULE = 0.5, 0.2, 0.3
"""Shares of small payments that go through the node of their operator, and through two at once;
and of all, that are paid to the mule."""
SOUND = ((1, ATTESTED_FROM_MINOR - 1, VALIDITY_MS), (ATTESTED_FROM_MINOR, 399, VALIDITY_MS))
"""Amounts that any node may bring in, and that take the attestation of the payer's operator; and
how long they are valid."""
HELD = ((400, 500, 60_000), (501, 4_999, 20_000), (5_000, 6_000, 8_000))
"""The same of what is to be confirmed, to be looked at, and blocked."""
LOOK_S = 0.2


@dataclass
class Customers(Load):
    """What customers of two operators paid, and what officers and apps answered."""

    operators: Sequence[Operator] = ()
    asked: dict[bytes, int] = field(default_factory=dict)
    """What every transaction pays that was not to be allowed at once, in minor units."""

    async def give_money(self) -> None:
        """Issue money, and open a wallet with some of it for each person, and the mule's."""
        officers = load_keys(self.network.nodes[0])
        for operator in self.operators:
            issued = (
                currency.SetQuota(operator.address, ASSET, 10**12),
                currency.Issue(operator.address, ASSET, PEOPLE * GIVEN_MINOR),
            )
            self.note(await self.network.nodes[0].client.send(officers, issued))
            for each in await operator.put_in_force():
                self.note(each)
        people = [(f"p{number}", self._find_operator(number)) for number in range(PEOPLE)]
        opening = (self._open_wallet(*each) for each in [(MULE, self.operators[0]), *people])
        await asyncio.gather(*opening)

    async def answer(self, operator: Operator) -> None:
        """Answer for what waits at an operator's desk, until this is cancelled."""
        while True:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    for held in (await operator.officer.risk.list_waiting()).transactions:
                        await _answer(operator, held)
            except (Unavailable, NotFound, Invalid, TimeoutError):
                pass  # the node is away, or its time was over just now
            await asyncio.sleep(LOOK_S)

    async def _open_wallet(self, name: str, operator: Operator) -> None:
        wallet, kept_by = key(name).address, operator.address
        opened = (
            wallets.Open(wallet, kept_by, wallets.Category(1)),
            payments.CashIn(kept_by, wallet, ASSET, GIVEN_MINOR, f"in-{name}"),
        )
        self.note(await operator.node.client.send(operator.officers[:1], opened))

    def _find_operator(self, number: int) -> Operator:
        return self.operators[number % len(self.operators)]

    async def _pay(self, number: int, over: asyncio.Event) -> None:
        own = self._find_operator(number).node
        is_suspicious = number >= PEOPLE - SUSPICIOUS
        kinds = HELD if is_suspicious else SOUND
        while not over.is_set():
            turn = next(self.turns)
            least, most, validity_ms = kinds[turn % len(kinds)]
            amount_minor = self.random.randint(least, most)
            is_small = amount_minor < ATTESTED_FROM_MINOR
            through = () if is_small and self.random.random() > OWN else (own,)
            node = await self._choose(*through)
            command = pay(f"p{number}", self._choose_payee(number), amount_minor, f"{turn}")
            try:
                signed = await node.client.sign([key(f"p{number}")], [command], validity_ms)
            except Unavailable:
                continue
            if is_suspicious:
                self.asked[signed.tx_id] = amount_minor
            sent = [self._send(signed.envelope, signed.tx_id, node, *through)]
            if is_small and self.random.random() < SEVERAL:  # to hurry it through another, too
                sent.append(self._send(signed.envelope, signed.tx_id, await self._choose()))
            await asyncio.gather(*sent)

    def _choose_payee(self, number: int) -> str:
        if self.random.random() < TO_MULE:
            return MULE
        return f"p{(number + self.random.randint(1, PEOPLE - 1)) % PEOPLE}"


async def _answer(operator: Operator, held: HeldTransaction) -> None:
    """Confirm by the app what its customer is to confirm; release or refuse what is looked at."""
    tx_id = bytes.fromhex(held.tx_id)
    if held.verdict == "step_up":
        await operator.app.risk.answer(tx_id, "confirmed")
    elif int(held.payments[0].amount_minor) % 2:
        await operator.officer.risk.answer(tx_id, "released")
    else:
        await operator.officer.risk.answer(tx_id, "refused")


@dataclass(frozen=True)
class Counted:
    """What was found in one journal."""

    decided: int
    shown: int
    attested: list[bytes]
    """Ids of transactions that carry an attestation which policy demands."""
    held: list[bytes]
    """Of those that waited, or were blocked."""
    let_through: int
    """Of these came to the ledger; others were refused, blocked, or their time was over."""

    def __str__(self) -> str:
        return (
            f"{self.decided} decided on, {self.shown} shown by blocks, {len(self.attested)} "
            f"attested, {self.let_through} of {len(self.held)} held ones let through"
        )


def check_journal(operator: Operator, customers: Customers) -> Counted:
    """Check an operator's journal against the ledger of its own node, which is stopped."""
    home = operator.node.home
    with ExitStack() as stack:
        chain = open_chain_read_only(home)
        stack.callback(chain.close)
        journal = stack.enter_context(Journal.reading(home.decisions_path, PASSPHRASE))
        repeated = repeat(journal)
        assert repeated.is_identical, repeated
        assert repeated.is_remembered_same, repeated
        decided = {
            decode_record(each.kept.record).tx_id: each.kept for each in journal.iterate_decisions()
        }
        shown = _check_events(journal, chain, decided)
        attested = _check_attested(operator, journal, chain, decided)
        held = journal.list_held(NEWEST, 1 << 30)
        let_through = _check_held(held, journal, chain, customers)
        _check_mule(decided)
    ids = [each.tx_id for each in held]
    return Counted(len(decided), shown, attested, ids, let_through)


def _check_events(journal: Journal, chain: Chain, decided: Mapping[bytes, KeptDecision]) -> int:
    """Check that what was taken in is what was decided on and what else blocks paid, each once.

    What was held and came to the ledger all the same is there twice: as an attempt, and as paid.

    Returns:
      How many payments blocks showed.
    """
    events = [
        each for block in journal.iterate_events() for each in block if isinstance(each, Taken)
    ]
    own = {each.number: each for kept in decided.values() for each in kept.payments}
    assert -1 not in own
    for number, each in own.items():
        paid = Intended(each.payer, each.payee, each.asset, each.amount_minor)
        assert events[number][1:4] == _name(paid)
        assert events[number].is_attempt is not each.is_remembered
    shown = [
        (*event[1:4], event.attempt) for number, event in enumerate(events) if number not in own
    ]
    tried = {
        tx_id: each.number
        for tx_id, kept in decided.items()
        for each in kept.payments
        if not each.is_remembered
    }
    others = [
        (*_name(paid), tried.get(receipt.tx_id, -1))
        for _, _, receipt in _iterate_receipts(chain)
        if receipt.tx_id not in decided or receipt.tx_id in tried
        for paid in find_paid(receipt)
    ]
    assert len(shown) == len(others)
    assert shown == others
    return len(shown)


def _check_attested(
    operator: Operator, journal: Journal, chain: Chain, decided: Mapping[bytes, KeptDecision]
) -> list[bytes]:
    """Check every payment of an operator's customers that policy wants attested; returns their ids.

    Each attestation is opened by what its operator kept, and nothing speaks against it.
    """
    rows, found = Reader(chain.machine.state), []
    for height, index, receipt in _iterate_receipts(chain):
        large = [each for each in find_paid(receipt) if each.amount_minor >= ATTESTED_FROM_MINOR]
        for paid in large:
            wallet = rows.get(wallets.Wallet, paid.payer)
            if wallet.operator != operator.address:
                continue
            _, sponsor, attestation = find_envelope(chain.get_record(height), index)
            time_ms = chain.get_header(height).time_ms
            needs = is_model_needed(rows, paid.asset, paid.amount_minor, time_ms)
            at = compute_position(height, index)
            executed = Executed(receipt.tx_id, sponsor, attestation, at, time_ms, needs)
            kept, answer = decided[receipt.tx_id], journal.find_answer(receipt.tx_id)
            raw, salt = (kept.record, kept.salt)
            if answer is not None:
                raw, salt = answer.record, answer.salt
            opened = open_commitment(chain.network, rows, executed, raw, salt)
            assert opened.is_sound, opened.faults
            assert opened.record.model == operator.model
            found.append(receipt.tx_id)
    return found


def _check_held(
    waited: Sequence[Held], journal: Journal, chain: Chain, customers: Customers
) -> int:
    """Check that of what waited only that came to the ledger which was let through; how much."""
    let_through = stopped = 0
    for held in waited:
        answer = journal.find_answer(held.tx_id)
        assert customers.asked[held.tx_id] == held.amount_minor
        is_there = bool(chain.find_positions([held.tx_id]))
        may_be = answer is not None and bool(answer.record) and held.verdict != Verdict.BLOCK
        assert may_be or not is_there
        let_through += is_there
        stopped += not may_be
    assert let_through
    assert stopped
    return let_through


def _check_mule(decided: Mapping[bytes, KeptDecision]) -> None:
    """Check that an operator knows that customers of both pay the mule."""
    rows = [
        dict(zip(FEATURES, unpack(each.row), strict=True))
        for kept in decided.values()
        for each in kept.payments
        if each.payee == key(MULE).address
    ]
    assert max(row["payee_payers_1d"] for row in rows) > PEOPLE // 2


def _name(paid: Intended) -> tuple[bytes, bytes, int]:
    payer, payee = hash_wallet(paid.payer, paid.asset), hash_wallet(paid.payee, paid.asset)
    return payer, payee, paid.amount_minor


def _iterate_receipts(chain: Chain) -> Iterator[tuple[int, int, Receipt]]:
    """Iterate all receipts of a chain, with the height and index of each."""
    for record in chain.iterate_records(0):
        height = decode_header(record.header).height
        for index, raw in enumerate(record.receipts):
            yield height, index, decode_receipt(raw)
