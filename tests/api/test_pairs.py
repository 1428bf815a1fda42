"""A bank's pairs over HTTP: what its operators bring and read, by the client, and who may not."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import get_args

import pytest
from aiohttp.test_utils import TestServer
from tests.api.served import NOW_MS, UNLIMITED
from tests.paired import NAMES, Paired, running
from tests.streamed import enter
from tests.world import key

from hansa.contracts.reconciliation import cases, positions
from hansa.contracts.reconciliation.positions import Settle
from hansa.kernel.crypto.address import from_text, to_text
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Invalid, NotFound, Refused
from hansa.node.api.keys import KeyRing, add_key
from hansa.node.api.rights import Role
from hansa.node.serving.app import create_app
from hansa.node.settings import Limits, Settings
from hansa.reconcile.batch.diagnosing import BreakClass
from hansa.reconcile.stream.entries import ENTRIES_MAX, write_entry
from hansa.sdk.async_client import AsyncClient
from hansa.sdk.reconciliation.pair_answers import BreakKind

FILE, UNKNOWN = bytes([7]) * 32, bytes(32)
WORDS = "South books the fee by Friday."


@asynccontextmanager
async def served(folder, limits=UNLIMITED):
    """Serve both banks' services; `ask(name, of=NAME)` is one bank's client of one's own node."""
    path = folder / "api-keys.json"
    tokens = {
        name: add_key(
            path, name=name, role=Role.OPERATOR, member=to_text(key(name).address), now_ms=1
        )[1]
        for name in NAMES
    }
    async with AsyncExitStack() as stack:
        paired = await stack.enter_async_context(running(Paired()))
        servers = {}
        for name, service in zip(NAMES, paired.services, strict=True):
            settings, keys = Settings(limits=limits), KeyRing(path)
            app = create_app(paired.node, settings, keys, None, service, clock_ms=lambda: NOW_MS)
            servers[name] = await stack.enter_async_context(TestServer(app))

        async def ask(name, of=None):
            url = str(servers[of or name].make_url("/")).rstrip("/")
            client = AsyncClient(url, api_key=tokens.get(name), attempts=1)
            return await stack.enter_async_context(client)

        yield paired, ask


def write(*entries):
    return [write_entry(each) for each in entries]


async def close_first(paired, north, south, agreement):
    """Add entries of both to window 0, and bring it to its end."""
    ours = write(
        enter(100, "A"), enter(40, "B"), enter(7, "C"), enter(5_000, "D", text="fee"), enter(1, "E")
    )
    added = await north.add(agreement, ours[:2], FILE)
    assert (added.taken, added.left_out, added.repeated) == (2, 0, 0)
    added = await north.add(agreement, ours, FILE)
    assert (added.taken, added.left_out, added.repeated) == (3, 0, 2)
    await south.add(agreement, write(enter(-100, "A"), enter(-43, "B")))
    for each in (north, south):
        told = await each.complete(agreement, 1)
        assert told.completed == 1
    left, right = paired.services
    await paired.wait_for(
        lambda: all(each.get_pair(agreement).progress.agreed == 1 for each in (left, right))
    )
    await paired.wait_for(
        lambda: (found := left.list_positions(agreement)) and found[0][2] and found[0][2].is_agreed
    )


def test_operators_reconcile_and_resolve_through_their_own_nodes(tmp_path):
    async def run():
        async with served(tmp_path) as (paired, ask):
            north, south = [(await ask(name)).pairs for name in NAMES]
            shared = await north.share_terms(paired.raw)
            agreement = bytes.fromhex(shared.agreement)
            assert (shared.place, shared.on_ledger, shared.other) == (
                "left",
                None,
                to_text(key("south").address),
            )
            assert shared.terms.assets == ["MOP"]
            assert "[window]" in shared.terms.rules
            far = enter(2)._replace(booking_date=38_900)
            with pytest.raises(Invalid, match="entry 2 is dated 2076-"):
                await north.add(agreement, write(enter(1), far))
            with pytest.raises(Refused) as refused:
                await north.add(agreement, write(enter(1)))
            assert str(refused.value.code) == "pairs.NOT_IN_FORCE"
            assert await paired.agree() == agreement
            await paired.wait_for(paired.services[1].list_pairs)
            [pair] = await south.list()
            assert (pair.place, pair.on_ledger.state, pair.trouble) == ("right", "in_force", "")
            await close_first(paired, north, south, agreement)
            await check_windows(north, agreement)
            await check_breaks(paired, north, south, agreement)
            await check_positions(paired, north, agreement)

    asyncio.run(run())


async def check_windows(north, agreement):
    found = await north.get(agreement, windows=2)
    assert [each.window for each in found.windows] == [1, 0]
    window = await north.get_window(agreement, 0)
    assert (window.from_date, window.to_date, window.waiting) == ("2026-03-02", "2026-03-02", 0)
    assert (window.on_ledger.left.entries, window.on_ledger.matched) == (5, 1)
    assert window.outcome.matches == {"near": 1}
    assert window.outcome.breaks == {"missing_right": 3}
    [net] = window.outcome.nets
    assert (net.currency, net.entries, net.net_minor) == ("MOP", 2, "140")
    [match] = (await north.list_matches(agreement, 0)).matches
    assert (match.rule, match.left[0].amount_minor, match.right[0].amount_minor) == (
        "near",
        "40",
        "-43",
    )
    with pytest.raises(NotFound):
        await north.list_matches(agreement, 5)
    with pytest.raises(Invalid, match="has not begun"):
        await north.complete(agreement, 2**20)


async def check_breaks(paired, north, south, agreement):
    """List breaks by filters and pages, and resolve one: its words go to the other bank."""
    every = await north.list_breaks(agreement)
    assert (every.window, every.next) == (0, None)
    assert every == await south.list_breaks(agreement)
    first = await north.list_breaks(agreement, limit=2)
    second = await north.list_breaks(agreement, after=first.next, limit=2)
    assert [*first.breaks, *second.breaks] == every.breaks
    filters = ({"kind": "amount"}, {"currency": "HKD"}, {"case": "with"}, {"age_days": 1_000_000})
    for wanted in filters:
        assert (await north.list_breaks(agreement, **wanted)).breaks == []
    same = {"kind": "missing_right", "currency": "MOP", "case": "without", "age_days": 0}
    assert await north.list_breaks(agreement, **same) == every
    [found] = [each for each in every.breaks if each.left[0].reference == "D"]
    [entry] = found.left
    assert (entry.text, entry.amount_minor, entry.value_date) == ("fee", "5000", "2026-03-02")
    case_id = bytes.fromhex(found.id)
    proposal = await north.share_proposal(agreement, case_id, "correct", WORDS, 5_000)
    await paired.wait_for(lambda: paired.services[1].list_proposals(agreement, case_id))
    bank = key("north").address
    await paired.submit("north", cases.Open(agreement, bank, 0, case_id))
    terms = bytes.fromhex(proposal.terms)
    kind = cases.Kind.CORRECT
    await paired.submit("north", cases.Propose(agreement, bank, case_id, kind, terms))
    details = await south.get_case(agreement, case_id)
    assert (details.case.state, details.found.left) == ("proposed", found.left)
    [told] = details.proposals
    assert (told.words, told.amount_minor, told.kind, told.terms, told.is_current) == (
        WORDS,
        "5000",
        "correct",
        proposal.terms,
        True,
    )
    listed = await south.list_cases(agreement, state="proposed")
    assert listed.cases == [details.case]
    assert (await south.list_cases(agreement, state="open")).cases == []
    [open_break] = (await south.list_breaks(agreement, case="with")).breaks
    assert open_break.case == details.case
    with pytest.raises(NotFound):
        await north.share_proposal(agreement, UNKNOWN, "correct", WORDS)


async def check_positions(paired, north, agreement):
    """Read what opens the commitment that both have signed."""
    [found] = (await north.list_positions(agreement)).positions
    assert found == await north.get_position(agreement, 0, "MOP")
    opening = Settle(
        agreement,
        0,
        "MOP",
        from_text(found.payer),
        int(found.amount_minor),
        bytes.fromhex(found.salt),
    )
    commitment = positions.compute_commitment(opening, paired.world.network.digest)
    assert (found.payer, found.amount_minor) == (to_text(key("south").address), "140")
    assert (found.on_ledger.left, found.on_ledger.is_agreed) == (commitment.hex(), True)
    with pytest.raises(NotFound):
        await north.get_position(agreement, 0, "HKD")


def test_nobody_else_reads_or_adds_and_what_is_malformed_is_refused(tmp_path):
    async def run():
        limits = Limits(anyone_per_s=0, known_per_s=0, body_bytes=2**20)
        async with served(tmp_path, limits) as (paired, ask):
            north = await ask("north")
            await north.pairs.share_terms(paired.raw)
            [pair] = await north.pairs.list()
            agreement = bytes.fromhex(pair.agreement)
            await paired.agree()
            for caller, error in (("south", Refused), ("nobody", Invalid)):
                other = (await ask(caller, of="north")).pairs
                for call in (other.list(), other.add(agreement, []), other.get(agreement)):
                    with pytest.raises(error):
                        await call
            for call in (
                north.pairs.get(UNKNOWN),
                north.pairs.add(UNKNOWN, []),
                north.pairs.complete(UNKNOWN, 1),
                north.pairs.list_breaks(UNKNOWN),
                north.pairs.get_case(agreement, UNKNOWN),
            ):
                with pytest.raises(NotFound):
                    await call
            with pytest.raises(Invalid, match="terms of reconciliation cannot be decoded"):
                await north.pairs.share_terms(b"\x90")
            await check_entries(north, agreement)
            [window] = (await north.pairs.get(agreement, windows=1)).windows
            assert (window.waiting, window.on_ledger) == (0, None)

    asyncio.run(run())


async def check_entries(client, agreement):
    """Add what cannot be added; nothing of it is taken."""
    good = write_entry(enter(100, "A"))
    fields = [*tuple(enter(100, "A"))[:18]]
    for entries, why in (
        ([b"\xc1"], "cannot be decoded"),
        ([good[:-1]], "cannot be decoded"),
        ([encode(fields[:-1])], "cannot be decoded"),
        ([good, encode([*fields[:2], "100", *fields[3:]])], r"\$\[1\]\[2\]"),
        ([encode([*fields[:10], "x" * 8_193, *fields[11:]])], r"\$\[0\]\[10\]"),
        ([good.replace(b"\x64", b"\xcc\x64", 1)], "canonical"),
        ([good] * (ENTRIES_MAX + 1), "2000"),
        ([bytes(2**20)], "send less at a time"),
    ):
        with pytest.raises(Invalid, match=why):
            await client.pairs.add(agreement, entries)
    with pytest.raises(Invalid, match="add those between them first"):
        await client.pairs.add(agreement, [good], FILE, start=5)


def test_the_classes_of_breaks_are_those_that_there_are():
    assert list(get_args(BreakKind)) == [each.value for each in BreakClass]
