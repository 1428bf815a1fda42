"""The watches of `test_invariants.py` find what is forged, and the town finds what is planted."""

from __future__ import annotations

import inspect
from dataclasses import replace

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.properties.acts import LIMITS, MARK, PEOPLE
from tests.properties.money import M0, OFFICERS, Act, Attempt, Money, need
from tests.properties.test_invariants import (
    Decisions,
    Frozen,
    Linked,
    Minting,
    Overdraft,
    Rounding,
    Spending,
    SpentOnce,
    Supply,
)
from tests.properties.town import Seen, Town
from tests.world import key

from hansa.kernel.block import Receipt, Status

ANN, SHOP = key("ann").address, key("shop").address


def forge(*events: tuple[str, list[object]], acts: int = 1, **fields: object) -> Seen:
    """Build a transaction that no sound ledger would accept."""
    attempt = Attempt((Act("pay", "ann"),) * acts, ("ann",), "south", False, 10**12)
    receipt = Receipt(bytes(32), Status.OK, "", 0, [("payments", *event) for event in events])
    return Seen(replace(attempt, **fields), receipt, b"envelope", 1)  # type: ignore[arg-type]


def delta(ledger: str, owner: bytes, amount: int, balance: int = 0) -> list[object]:
    return [ledger, owner, M0, amount, balance, 0]


PAID = [delta("wallet", ANN, -500), delta("wallet", SHOP, 500, 500)]
FREEZE = ("SelfFrozen", [[], ANN])
TRANSFER = ("Transferred", [PAID, "1", b""])
HOLD = ("Held", [[delta("wallet", ANN, -90), delta("held", ANN, 90, 90)], SHOP, "h", 0, b""])
VOID = ("Voided", [[delta("wallet", ANN, 90, 90), delta("held", ANN, -90)], ANN, "h"])
POST = [delta("wallet", ANN, 11, 11), delta("held", ANN, -90), delta("wallet", SHOP, 79, 79)]


@pytest.mark.parametrize(
    ("watch", "forged"),
    [
        (Supply, [forge(("Transferred", [PAID[1:], "1", b""]))]),
        (Minting, [forge(("Issued", [[delta("issued", ANN, 1), delta("vault", ANN, 1)]]))]),
        (Overdraft, [forge(("Transferred", [[delta("wallet", ANN, -1, -1)], "1", b""]))]),
        (SpentOnce, [forge(), forge()]),
        (SpentOnce, [forge(TRANSFER, TRANSFER)]),
        (Linked, [forge(TRANSFER, acts=2)]),
        (Linked, [forge(HOLD, VOID, VOID, acts=3)]),
        (Spending, [forge(TRANSFER)]),
        (Frozen, [forge(FREEZE, TRANSFER)]),
        (Decisions, [forge(TRANSFER)]),
        (Decisions, [forge(("Transferred", [PAID, "1", MARK]), attested=True)]),
        (Rounding, [forge(("Transferred", [PAID[:1], "1", b""]))]),
        (Rounding, [forge(HOLD), forge(("Posted", [POST[1:], ANN, "h", 79]))]),
    ],
    ids=lambda value: value.__name__ if inspect.isclass(value) else "",
)
def test_a_watch_finds_what_is_forged(watch, forged):
    town = Town()
    town.model.wallets = dict(PEOPLE)
    assert town.model.limits[4][0][1] == LIMITS[4]
    watching = watch(town)
    *sound, wrong = forged
    for seen in sound:
        watching.see(seen)
    with pytest.raises(AssertionError):
        watching.see(wrong)
    town.teardown()


class Careless(Money):
    """A model that forgets freezes: what the ledger would do if it did."""

    def _need_usable(self, *wallets: str) -> None:
        assert wallets


class Generous(Money):
    """A model without limits."""

    def limits_of(self, wallet: str, time_ms: int) -> tuple[int, int, int, int]:
        assert wallet
        assert time_ms
        return (0, 0, 0, 0)


class Forgetful(Money):
    """A model in which a reference may be used again at once."""

    def _need_new(self, payer: str, ref: str, attempt: Attempt) -> None:
        assert payer
        assert ref
        assert attempt


class Alone(Money):
    """A model in which one officer suffices."""

    def _need_keys(self, name: str, attempt: Attempt) -> None:
        need(name in attempt.signers or (name == "bank" and OFFICERS & set(attempt.signers)))


@pytest.mark.parametrize("model", [Careless, Generous, Forgetful, Alone])
def test_the_town_tells_a_model_apart_that_forgets_a_rule(model):
    """Its random days reach every such rule: the same days would find it missing in a contract."""

    class Planted(Town):
        money = model

    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            Planted,
            settings=settings(
                max_examples=100,
                stateful_step_count=20,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                report_multiple_bugs=False,
            ),
        )
