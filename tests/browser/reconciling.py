"""Two banks with something of everything that pages about reconciliation show."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from tests.paired import Paired
from tests.streamed import EPOCH, RULES
from tests.world import ASSET, key

from hansa.contracts import accounts, currency
from hansa.contracts.identity import evidence
from hansa.contracts.reconciliation import cases, positions
from hansa.kernel.authority import ALL_PURPOSES, AccountKey, Purpose
from hansa.kernel.block import decode_receipt
from hansa.node.service import wall_clock_ms
from hansa.reconcile.entries import Entry
from hansa.reconcile.stream.proposals import Proposal
from hansa.reconcile.stream.terms import Terms, write_terms

FROM = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=20)
"""First day of window 0."""
NOTARISED = bytes(range(32))
"""A hash that the first bank has on record."""
MARKUP = "<b>Rent</b> & more"
"""What somebody wrote who pays; a page shows it as what it is."""
WORDS = "South books the fee of 30.00 by Friday. <i>Agreed by telephone.</i>"


@dataclass
class Reconciled:
    """What was made."""

    paired: Paired
    agreement: bytes
    asked: bytes
    """An agreement that the other bank proposes."""
    case_id: bytes
    """Of a break for which something is proposed."""
    healed: bytes
    """Of a break that a later entry matched."""
    settled: bytes
    """Id of the transaction that settled window 0."""


def list_pages(made: Reconciled) -> dict[str, str]:
    """List the fullest page of each route."""
    own = f"/reconciliation/{made.agreement.hex()}"
    return {
        "/reconciliation": "/reconciliation",
        "/reconciliation/manifests": "/reconciliation/manifests",
        "/reconciliation/{agreement}": own,
        "/reconciliation/{agreement}/breaks": f"{own}/breaks",
        "/reconciliation/{agreement}/cases/{case_id}": f"{own}/cases/{made.case_id.hex()}",
        "/reconciliation/{agreement}/windows/{window}/matches": f"{own}/windows/0/matches",
        "/reconciliation/{agreement}/positions": f"{own}/positions",
    }


def write_rules(name: str) -> str:
    """Write rules whose windows begin on `FROM`."""
    return RULES.replace("Nostro", name).replace("2026-03-02", FROM.isoformat())


def enter(amount_minor: int, reference: str = "", day: int = 0, **fields) -> Entry:
    """Make an entry of a day, counted from `FROM`."""
    date = (FROM - EPOCH).days + day
    return Entry("MO-NOSTRO-1", ASSET, amount_minor, date, date, reference, **fields)


async def make_reconciled(paired: Paired) -> Reconciled:
    """Reconcile three windows, resolve what breaks in part, and settle the first."""
    # In the first block, which is a checkpoint: genesis is long ago.
    notarise = evidence.Notarise(key("north").address, NOTARISED, 0, ())
    await submit(paired, ("north",), notarise)
    agreement = await paired.agree()
    north, south = paired.services
    await paired.wait_for(south.list_pairs)
    await north.add(agreement, _list_ours())
    await south.add(agreement, _list_theirs())
    await _reach(paired, agreement, 1)
    late = next(
        each for each in north.list_breaks(agreement) if b"LATE" in b"".join(each.group.left)
    )
    await paired.submit("north", cases.Open(agreement, key("north").address, 0, late.group.id))
    await _reach(paired, agreement, 2)
    case_id = await _dispute(paired, agreement)
    settled = await _settle(paired, agreement)
    asked = await _ask(paired)
    await north.add(agreement, [enter(7_500, "C-1", 2)])
    await paired.wait_for(
        lambda: not any(each.get_window(agreement, 2).waiting for each in (north, south))
    )
    await north.add(agreement, [enter(1, "TYPO", 30_000)])
    return Reconciled(paired, agreement, asked, case_id, late.group.id, settled)


def _list_ours() -> list[Entry]:
    exact = [enter(10_000 + number, f"A-{number}") for number in range(40)]
    return [
        *exact,
        enter(55_000, "NEAR", counterparty="Harbour Trading"),
        enter(30_000, "PARTS"),
        enter(88_000, "FEE", counterparty="Camões & Filhos", text="Invoice 2026-118"),
        enter(4_200, "ALONE", text=MARKUP, counterparty="Mercearia Sé"),
        enter(6_000, "OLD", -12),
        enter(10_000, "A-0"),
        enter(2_000, "LATE"),
        *(enter(500, f"B-{number}", 1) for number in range(20)),
    ]


def _list_theirs() -> list[Entry]:
    exact = [enter(-10_000 - number, f"A-{number}") for number in range(40)]
    return [
        *exact,
        enter(-55_003, "NEAR", 0, counterparty="Harbour Trading Ltd"),
        enter(-20_000, "PARTS/1"),
        enter(-10_000, "PARTS/2"),
        enter(-91_000, "FEE", counterparty="CAMOES FILHOS", text="INV 2026-118 + FEE"),
        enter(-1_234, "STRANGE"),
        enter(-2_000, "LATE", 1),
        *(enter(-500, f"B-{number}", 1) for number in range(20)),
    ]


async def _reach(paired: Paired, agreement: bytes, window: int) -> None:
    """Have both banks agree on all below a window, and sign the positions."""
    for each in paired.services:
        await each.complete(agreement, window)

    def is_signed() -> bool:
        listed = [each.list_positions(agreement) for each in paired.services]
        return all(
            each.get_pair(agreement).progress.agreed == window for each in paired.services
        ) and all(found[2] and found[2].is_agreed for one in listed for found in one)

    await paired.wait_for(is_signed)


async def _dispute(paired: Paired, agreement: bytes) -> bytes:
    """Open a case for the break of the fee, propose, decline, and propose again."""
    north, south = paired.services
    name, officer = key("north").address, key("north officer").address
    keys = (
        AccountKey(name, int(ALL_PURPOSES)),
        AccountKey(officer, int(Purpose.OPERATE)),
        AccountKey(key("north server").address, int(Purpose.SPONSOR)),
    )
    await paired.submit("north", accounts.SetKeys(name, keys, 1))
    [broken] = [
        each for each in north.list_breaks(agreement) if each.group.label in {"amount", "split"}
    ][:1]
    case_id = broken.group.id
    await paired.submit("north", cases.Open(agreement, name, broken.window, case_id))
    for number, words in enumerate(("North books it again.", WORDS)):
        proposal = Proposal(
            1, agreement, case_id, cases.Kind.CORRECT, words, -3_000, bytes([number]) * 32
        )
        terms = await north.share_proposal(agreement, proposal)
        command = cases.Propose(agreement, name, case_id, cases.Kind.CORRECT, terms)
        await paired.submit("north", command)
        if not number:
            decline = cases.Decline(agreement, key("south").address, case_id)
            await paired.submit("south", decline)
    await submit(paired, ("north officer",), cases.Confirm(agreement, name, case_id, terms))
    await paired.wait_for(lambda: len(south.list_proposals(agreement, case_id)) == 2)
    await paired.submit("south", cases.Accept(agreement, key("south").address, case_id, terms))
    return case_id


async def _settle(paired: Paired, agreement: bytes) -> bytes:
    """Settle window 0: the payer's money changes vaults in the same transaction."""
    south = paired.services[1]
    net = next(net for window, net, _ in south.list_positions(agreement) if window == 0)
    opening = south.get_stream(agreement).open_position(net, 0)
    payee = key("north").address if opening.payer == key("south").address else key("south").address
    quota = currency.SetQuota(opening.payer, ASSET, 10**12)
    issue = currency.Issue(opening.payer, ASSET, opening.amount_minor)
    await submit(paired, ("officer0", "officer1"), quota, issue)
    move = currency.MoveVault(opening.payer, payee, ASSET, opening.amount_minor)
    settle = positions.Settle(*(getattr(opening, name) for name in opening.__struct_fields__))
    return await submit(paired, ("south",), move, settle)


async def _ask(paired: Paired) -> bytes:
    """Have the other bank propose another agreement."""
    north, south = paired.services
    parties = (key("south").address, key("north").address)
    rules = write_rules("Co-lending").encode()
    raw = write_terms(
        Terms(1, *parties, 30, rules, b"", (), bytes(range(1, 33))), paired.world.network.digest
    )
    pair = await south.share_terms(raw)
    await paired.submit("south", pair.propose(key("south").address))
    await paired.wait_for(lambda: len(north.list_pairs()) == 2)
    return pair.agreement


async def submit(paired: Paired, names: tuple[str, ...], *commands) -> bytes:
    """Have one transaction confirmed; returns its id."""
    until_ms = wall_clock_ms() + 60_000
    signers = [key(name) for name in names]
    answer = await paired.node.desk.submit(paired.world.sign(signers, *commands, until_ms=until_ms))
    assert answer.error is None
    receipt = decode_receipt(answer.receipt)
    assert receipt.code == ""
    return receipt.tx_id
