"""The invariants of money, each under random days in a town on the real machine.

| number | invariant                               | how much of it applies here           |
|--------|-----------------------------------------|---------------------------------------|
| 1      | issued = vaults + wallets + held        | no offline float, nothing in transit  |
| 2      | only a threshold key mints or burns     | whole; the issuer's, within quota     |
| 3      | no overdraft, holds counted             | whole                                 |
| 4      | each serial or counter spent once       | nonces and references; no counters    |
| 5      | same id, same answer                    | whole                                 |
| 6      | linked legs all or none                 | whole                                 |
| 7      | states only move forward                | whole                                 |
| 8      | limits hold under concurrency           | over calls, transactions, blocks,     |
|        |                                         | issuers, operators; no sub-wallets    |
| 9      | no debit after a freeze                 | whole                                 |
| 10     | replay is byte-equal on every replica   | one engine                            |
| 11     | no personal data on the shared ledger   | no field holds free text              |
| 12     | each posting binds its risk decision    | the commitment; no model hash         |
| 13     | offline sync is order-independent       | not here: comes with offline payments |
| 14     | rounding creates no money               | amounts are whole, parts add up       |
| 15     | ledger time only                        | whole                                 |

In all of them the ledger must also agree with the model of `money.py`, transaction by transaction.
Counters (4) come with offline payments, model hashes (12) with the risk platform, sub-wallets (8)
with the wallets' later functions.
"""

from __future__ import annotations

import inspect
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Annotated, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from tests.conftest import IS_SOAK
from tests.properties.acts import MARK, PEOPLE
from tests.properties.money import (
    ATTEST_FROM,
    DEPOSIT,
    ISSUERS,
    M0,
    OFFICERS,
    OFFICERS_NEEDED,
    RECORD_MS,
    Act,
    Attempt,
    Limits,
    local_date,
)
from tests.properties.town import Rows, Seen, Town, Watch
from tests.world import key, open_world

from hansa.contracts.payments import Payment
from hansa.contracts.payments import Status as Standing
from hansa.contracts.registry import MODULES, PARTS
from hansa.engine.storage import FileStorage
from hansa.kernel.block import Receipt, decode_header
from hansa.kernel.contract import Command, Event
from hansa.kernel.rows import Row

EXAMPLES = 150 if IS_SOAK else 5
STEPS = 40 if IS_SOAK else 20
SPENDING = {"Transferred", "Held"}


def watch_town(*watches: type[Watch], examples: int = EXAMPLES) -> None:
    """Live through random days, with these watches."""

    class Watched(Town):
        pass

    Watched.watches = watches
    run_state_machine_as_test(
        Watched,
        settings=settings(max_examples=examples, stateful_step_count=STEPS, deadline=None),
    )


def test_the_ledger_accepts_what_the_model_accepts_and_nothing_else():
    watch_town(examples=3 * EXAMPLES)


# --- 1 to 3: how much there is ------------------------------------------------------------------


class Supply(Watch):
    """Sums receipts: after each, all money of an asset is what was issued of it."""

    def __init__(self, town: Town) -> None:
        super().__init__(town)
        self.sums: Counter[tuple[str, str]] = Counter()

    def see(self, seen: Seen) -> None:
        for ledger, _, asset, amount, _ in seen.deltas:
            self.sums[asset, ledger] += amount
        for asset in ISSUERS:
            places = sum(self.sums[asset, ledger] for ledger in ("vault", "wallet", "held"))
            assert self.sums[asset, "issued"] == places, seen

    def look(self, rows: Rows) -> None:
        for asset, minor in rows.issued.items():
            assert minor == self.sums[asset, "issued"]


def test_invariant_01_supply_at_every_prefix():
    watch_town(Supply)


class Minting(Watch):
    """Knows whose keys made and ended money, and how much of each quota is used."""

    def __init__(self, town: Town) -> None:
        super().__init__(town)
        self.quotas: Counter[tuple[str, str]] = Counter()
        self.used: Counter[tuple[str, str]] = Counter()

    def see(self, seen: Seen) -> None:
        for contract, name, fields in seen.events:
            if (contract, name) == ("currency", "QuotaSet"):
                self.quotas[fields[1], fields[2]] = fields[3]  # type: ignore[index]
            minted = [delta for delta in fields[0] if delta[0] == "issued"]  # type: ignore[attr-defined]
            if not minted:
                continue
            assert contract == "currency"
            asset, amount = minted[0][2], minted[0][3]
            officers = len(OFFICERS & set(seen.attempt.signers))
            is_bank = asset == M0 and officers >= OFFICERS_NEEDED
            assert is_bank or (asset == DEPOSIT and "north" in seen.attempt.signers), seen
            vault = fields[0][1]  # type: ignore[index]
            place = vault[1], asset
            self.used[place] += amount
            assert amount < 0 or self.used[place] <= self.quotas[place], seen


def test_invariant_02_only_the_issuers_threshold_mints_or_burns_within_quota():
    watch_town(Minting)


class Overdraft(Watch):
    """Counts what is free and what is held against the holds that run."""

    def see(self, seen: Seen) -> None:
        assert all(balance >= 0 for *_, balance in seen.deltas), seen

    def look(self, rows: Rows) -> None:
        held: Counter[tuple[str, str]] = Counter()
        for (payer, _), row in rows.payments.items():
            if row.status is Standing.HELD:
                held[payer, row.asset] += row.amount_minor
        for place, balance in rows.balances.items():
            assert balance.available_minor >= 0
            assert balance.held_minor == held[place]


def test_invariant_03_no_overdraft_holds_counted():
    watch_town(Overdraft)


# --- 4 to 7: each thing once --------------------------------------------------------------------


def read_references(seen: Seen) -> list[tuple[str, str, str]]:
    """List (event, payer, reference) of the payments that a transaction made or settled."""
    found = []
    for _, name, fields in seen.events:
        owners = [(delta[1], delta[3]) for delta in fields[0]]  # type: ignore[attr-defined]
        if name in {"Transferred", "Converted"}:
            payer = next(owner for owner, amount in owners if amount < 0)
            found.append((name, payer, fields[1 if name == "Transferred" else 2]))
        elif name == "Held":
            found.append((name, owners[0][0], fields[2]))
        elif name in {"Posted", "Voided"}:
            found.append((name, fields[1], fields[2]))
        elif name == "Refunded":
            found.append((name, owners[0][0], fields[3]))
    return found  # type: ignore[return-value]


class SpentOnce(Watch):
    """Remembers every envelope and every reference, and until when it is taken."""

    def __init__(self, town: Town) -> None:
        super().__init__(town)
        self.envelopes: set[bytes] = set()
        self.taken: dict[tuple[str, str], float] = {}

    def see(self, seen: Seen) -> None:
        if isinstance(seen.outcome, Receipt):
            assert seen.envelope not in self.envelopes
            self.envelopes.add(seen.envelope)
        time_ms = seen.attempt.time_ms
        for name, payer, reference in read_references(seen):
            place = payer, reference
            if name not in {"Posted", "Voided"}:
                assert time_ms > self.taken.get(place, -1), seen
            self.taken[place] = float("inf") if name == "Held" else time_ms + RECORD_MS


def test_invariant_04_each_nonce_and_each_reference_is_spent_once():
    watch_town(SpentOnce)


class SameAnswer(Watch):
    """Hands in once more, and under a nonce that was used: neither is executed."""

    def leave(self) -> None:
        town, world = self.town, self.town.world
        attempt = Attempt((Act("self_freeze", "shop"),), ("shop",), "bank", False, world.time_ms)
        (first,) = town.hand_in([attempt])
        assert isinstance(first.outcome, Receipt)
        (again,) = town.put_in_block([attempt], [first.envelope])
        assert not isinstance(again.outcome, Receipt)
        assert again.outcome.tx_id == first.outcome.tx_id
        world.nonces -= 1
        other = replace(attempt, acts=(Act("self_unfreeze", "shop"),))
        (second,) = town.hand_in([other])
        assert not isinstance(second.outcome, Receipt)
        assert second.outcome.tx_id != first.outcome.tx_id
        if first.is_ok:
            town.model.self_frozen.add("shop")
        town.books_agree()


def test_invariant_05_same_id_and_payload_same_answer_another_payload_an_error():
    watch_town(SameAnswer)


class Linked(Watch):
    """A transaction tells all of its acts or none; a hold ends once."""

    def __init__(self, town: Town) -> None:
        super().__init__(town)
        self.running: Counter[tuple[str, str]] = Counter()

    def see(self, seen: Seen) -> None:
        assert len(seen.events) == (len(seen.attempt.acts) if seen.is_ok else 0), seen
        for name, payer, reference in read_references(seen):
            change = {"Held": 1, "Posted": -1, "Voided": -1}.get(name, 0)
            self.running[payer, reference] += change
            assert self.running[payer, reference] in {0, 1}, seen


def test_invariant_06_linked_legs_all_or_none_and_a_hold_ends_once():
    watch_town(Linked)


FORWARD = {
    (Standing.HELD, Standing.PAID),
    (Standing.HELD, Standing.VOIDED),
    (Standing.HELD, Standing.REFUNDED),
    (Standing.PAID, Standing.REFUNDED),
}


class Forward(Watch):
    """Follows each payment's row."""

    def __init__(self, town: Town) -> None:
        super().__init__(town)
        self.rows: dict[tuple[str, str], Payment] = {}

    def look(self, rows: Rows) -> None:
        for place, row in rows.payments.items():
            assert 0 <= row.refunded_minor <= row.amount_minor
            assert (row.refunded_minor == row.amount_minor) == (row.status is Standing.REFUNDED)
            before = self.rows.get(place)
            if before is None or before.position != row.position:
                continue
            assert before.status is row.status or (before.status, row.status) in FORWARD
            assert before.refunded_minor <= row.refunded_minor
            assert before.amount_minor == row.amount_minor or before.status is Standing.HELD
        self.rows = rows.payments


def test_invariant_07_states_only_move_forward_and_refunds_stay_within_the_original():
    watch_town(Forward)


# --- 8 and 9: who may not spend -----------------------------------------------------------------


class Spending(Watch):
    """Adds up what every wallet spent by day and year, from receipts, and what it had."""

    def __init__(self, town: Town) -> None:
        super().__init__(town)
        self.spent: Counter[tuple[str, object]] = Counter()
        self.had: dict[tuple[str, str, str], int] = {}

    def see(self, seen: Seen) -> None:
        time_ms = seen.attempt.time_ms
        today = local_date(time_ms)
        for _, name, fields in seen.events:
            deltas = replace(seen, outcome=_alone(seen, name, fields)).deltas
            for ledger, wallet, asset, amount, balance in deltas:
                if ledger not in {"wallet", "held"}:
                    continue
                self.had[wallet, ledger, asset] = balance
                limits: Limits = self.town.model.limits_of(wallet, time_ms)
                if ledger == "wallet" and amount < 0 and name in {*SPENDING, "Converted"}:
                    self._check_spent(wallet, -amount, today, limits)
                is_credit = ledger == "wallet" and amount > 0
                if is_credit and name in {"Transferred", "Converted"} and limits[0]:
                    mine = [minor for (owner, *_), minor in self.had.items() if owner == wallet]
                    assert sum(mine) <= limits[0], seen

    def _check_spent(self, wallet: str, amount: int, today: object, limits: Limits) -> None:
        year = today.year  # type: ignore[attr-defined]
        self.spent[wallet, today] += amount
        self.spent[wallet, year] += amount
        found = (amount, self.spent[wallet, today], self.spent[wallet, year])
        assert all(minor <= (most or minor) for minor, most in zip(found, limits[1:], strict=True))


def _alone(seen: Seen, name: str, fields: list[object]) -> Receipt:
    """Build the receipt of one event alone."""
    assert isinstance(seen.outcome, Receipt)
    return msgspec.structs.replace(seen.outcome, events=[("", name, fields)])


def test_invariant_08_limits_hold_over_calls_transactions_blocks_and_issuers():
    watch_town(Spending, examples=2 * EXAMPLES)


class Frozen(Watch):
    """Knows who is frozen, and what they have together."""

    def __init__(self, town: Town) -> None:
        super().__init__(town)
        self.frozen: Counter[bytes] = Counter()

    def see(self, seen: Seen) -> None:
        for _, name, fields in seen.events:
            moved: Counter[bytes] = Counter()
            for ledger, owner, _, amount, *_ in fields[0]:  # type: ignore[attr-defined]
                moved[owner] += amount if ledger in {"wallet", "held"} else 0
            assert not any(moved[owner] for owner, count in self.frozen.items() if count), seen
            change = {"Frozen": 1, "SelfFrozen": 1, "Unfrozen": -1, "SelfUnfrozen": -1}.get(name)
            if change is not None:
                self.frozen[fields[1]] += change  # type: ignore[index]


def test_invariant_09_no_debit_after_a_freeze():
    watch_town(Frozen)


# --- 10 and 15: the same everywhere and always ----------------------------------------------------


class Replay(Watch):
    """Executes the recorded stream again, elsewhere."""

    def leave(self) -> None:
        ours = self.town.world
        with tempfile.TemporaryDirectory() as folder:
            copy = open_world(FileStorage(Path(folder)), ours.network.genesis)
            for record in ours.chain.iterate_records(1):
                copy.time_ms = decode_header(record.header).time_ms
                copy.apply(*record.batches)
            same = list(copy.chain.iterate_records(0)) == list(ours.chain.iterate_records(0))
            copy.chain.log.close()
        assert same


def test_invariant_10_replay_is_byte_equal():
    watch_town(Replay)


class OtherClock(Replay):
    """Executes it again where the machine's clock shows another zone, and a later time."""

    def leave(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TZ", "Pacific/Kiritimati")
            time.tzset()
            super().leave()
        time.tzset()


def test_invariant_15_ledger_time_only():
    watch_town(OtherClock)


# --- 11, 12 and 14: what stands on the ledger -----------------------------------------------------

TEXT_MAX = 96
"""The longest name that a field may hold: a policy's key. Sentences do not fit into references."""


PUBLISHED = {f"{kind}.{text}" for kind in ("Schema", "Publish") for text in ("schema", "display")}
"""Longer texts, which say what a type of credentials holds; members alone publish them."""


def list_texts(kind: type[msgspec.Struct]) -> list[tuple[str, int]]:
    """List the text fields of a class with their greatest lengths."""
    found = []
    for name, hint in get_type_hints(kind, include_extras=True).items():
        base, *meta = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        if base is str:
            longest = [each.max_length for each in meta if isinstance(each, msgspec.Meta)]
            found.append((f"{kind.__qualname__}.{name}", min(longest, default=10**6) or 10**6))
    return found


def test_invariant_11_no_field_holds_free_text():
    """People are addresses, orders are hashes, and a reference is too short for a story."""
    checked = 0
    for module in (part for each in MODULES for part in (each, *PARTS.get(each.NAME, ()))):
        for value in vars(module).values():
            if inspect.isclass(value) and issubclass(value, Row | Command | Event):
                texts = list_texts(value)
                checked += len(texts)
                assert {name for name, longest in texts if longest > TEXT_MAX} <= PUBLISHED
    assert checked > 20


class Decisions(Watch):
    """Looks for the sponsor's commitment in everything that leaves a wallet."""

    def see(self, seen: Seen) -> None:
        given = MARK if seen.attempt.attested else b""
        for _, name, fields in seen.events:
            if name not in {*SPENDING, "Converted", "Refunded"}:
                continue
            assert fields[-1] == given, seen
            ledger, owner, _, amount, *_ = fields[0][0]  # type: ignore[index]
            if ledger == "wallet" and -amount >= ATTEST_FROM:
                payer = next(person for person in PEOPLE if key(person).address == owner)
                assert given
                assert seen.attempt.sponsor == PEOPLE[payer][0]


def test_invariant_12_each_debit_binds_its_operators_decision():
    watch_town(Decisions)


class Rounding(Watch):
    """Adds up the parts: what leaves one place is what arrives at others."""

    def __init__(self, town: Town) -> None:
        super().__init__(town)
        self.holds: dict[tuple[str, str], int] = {}

    def see(self, seen: Seen) -> None:
        for event in seen.events:
            deltas = event[2][0]
            assert all(type(delta[3]) is int for delta in deltas)  # type: ignore[attr-defined]
            moved = sum((-1 if d[0] == "issued" else 1) * d[3] for d in deltas)  # type: ignore[attr-defined]
            assert moved == 0, seen
        for name, payer, reference in read_references(seen):
            for _, told, fields in seen.events:
                parts = [delta[3] for delta in fields[0]]  # type: ignore[attr-defined]
                if told == name == "Held" and fields[2] == reference:
                    self.holds[payer, reference] = parts[1]
                elif told == name == "Posted" and fields[1:3] == [payer, reference]:
                    *freed, ended, taken = parts
                    assert sum(freed) + taken == -ended == self.holds[payer, reference]


def test_invariant_14_rounding_creates_no_money():
    watch_town(Rounding)
