"""What an operator takes in, in the order in which it did: payments and labels in, rows out.

Parties come by keys of 32 bytes and are numbered as they first appear. So the same events in the
same order give the same numbers and the same rows: at once, in a replay, on another machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count, repeat
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.risk.arrays import read_arrays, write_arrays
from hansa.risk.decisions.deciding import Decider, Decision, Listed
from hansa.risk.events import NOBODY
from hansa.risk.features.layout import (
    ASKED,
    ATTEMPT,
    EVENT_COLUMNS,
    IS_FRAUD,
    KIND,
    LABEL,
    PAYMENT,
)
from hansa.risk.features.memory import Features
from hansa.risk.graph.graph import PaymentGraph
from hansa.risk.intake.describing import Asking, Describer, load_describer
from hansa.risk.intake.numbering import KEY_BYTES, Numbering, load_numbering
from hansa.risk.rules.firing import NOTHING

_STAMP = "intake 1"
_NUMBERED = ("wallets", "devices", "merchants")
_NOT_ASKED = (-1, -1)
_NO_PAYMENT = (-1,) * (EVENT_COLUMNS - IS_FRAUD - 1)
"""What a label has in the columns that are of payments alone."""


class Taken(NamedTuple):
    """A payment as it is taken in; its place in the order numbers it."""

    time_ms: int
    payer: bytes
    """Key of the wallet, 32 bytes."""
    payee: bytes
    amount_minor: int
    device: bytes | None = None
    merchant: bytes | None = None
    attempt: int = NOBODY
    """Its number as an attempt, if it was one before; labels name it by that."""
    is_attempt: bool = False
    """Whether it was not let through: it is numbered and described, and not remembered."""


class Told(NamedTuple):
    """What became known of a payment."""

    number: int
    """Of the payment."""
    time_ms: int
    is_fraud: bool


class Answered(NamedTuple):
    """Payments that were decided on as they were taken in."""

    rows: npt.NDArray[np.int64]
    """Shape (n, n_features)."""
    decisions: list[Decision]
    are_attempts: list[bool]
    """Which of them were not let through."""


class Intake:
    """Remembers what was taken in; all of a block of events, or none of it."""

    def __init__(
        self,
        describer: Describer,
        numbered: Sequence[Numbering],
    ) -> None:
        """Go on from what is remembered; `begin_intake` remembers nothing yet.

        Args:
          describer: of the payments so far.
          numbered: their wallets, devices and merchants.
        """
        self._describer = describer
        self._numbered = tuple(numbered)

    @property
    def next_number(self) -> int:
        """The number that the next payment gets."""
        return self._describer.features.next_number

    @property
    def now_ms(self) -> int:
        """The time of the last event; none may be older."""
        return self._describer.features.now_ms

    @property
    def zone_offset_ms(self) -> int:
        """What local time is ahead of UTC."""
        return self._describer.features.zone_offset_ms

    @property
    def wallet_count(self) -> int:
        """How many wallets have ever paid or been paid."""
        return len(self._numbered[0])

    @property
    def size_bytes(self) -> int:
        """How much memory all of it takes."""
        keys = sum(each.size_bytes for each in self._numbered)
        return keys + self._describer.features.size_bytes + self._describer.graph.nbytes

    def take(self, events: Sequence[Taken | Told]) -> npt.NDArray[np.int64]:
        """Take events in, in this order.

        Returns:
          Of each payment, attempts included, its row, shape (n_payments, n_features).

        Raises:
          Invalid: an event is older than the one before it, a label of a payment that was not taken
            in, or a payment to its payer or of nothing; nothing was taken in.
          Unavailable: more payments than a node can remember; likewise.
        """
        with self._numbering(self._count_known()):
            return self._describer.take(self._lay_out(events))

    def decide(
        self,
        payments: Sequence[Taken],
        decider: Decider,
        listed: Mapping[int, Listed],
        together: Sequence[int] | None = None,
    ) -> Answered:
        """Take payments in, and decide on each before the next: what is held is an attempt.

        Of payments that one transaction makes it is first found whether any would be held if it
        came alone: then all are attempts. What is held by the others alone is remembered: it would
        have been let through a moment before.

        Args:
          payments: in their order, those of one transaction of one moment; one that is an attempt
            stays one.
          decider: who decides.
          listed: what lists say, by a payment's place.
          together: of each payment, of how many of one transaction it is the first; of others of a
            transaction 1. Without it each is alone.

        Raises:
          Invalid: as `take`.
          Unavailable: as `take`.
        """
        said = [NOTHING] * len(payments)
        for place, each in listed.items():
            said[place] = each.verdict
        firsts = [1] * len(payments) if together is None else together
        asking = Asking(decider.laid_out, *decider.make_room(len(payments)))
        with self._numbering(self._count_known()):
            events = self._lay_out(payments, list(zip(firsts, said, strict=True)))
            rows = self._describer.take(events, asking)
        decisions = decider.decide_weighed(rows, asking.fired, asking.weighed, listed)
        kinds = events[:, KIND]
        return Answered(rows, decisions, (kinds == ATTEMPT).tolist())

    def try_out(self) -> None:
        """Take in a payment of nobody, so that machine code is ready: also to decide."""
        self.take([Taken(self.now_ms, bytes(KEY_BYTES), bytes([1]) * KEY_BYTES, 1)])

    def save(self) -> bytes:
        """Write all that rows of later payments depend on."""
        keys = {
            name: np.frombuffer(each.save(), np.uint8)
            for name, each in zip(_NUMBERED, self._numbered, strict=True)
        }
        described = np.frombuffer(self._describer.save(), np.uint8)
        return write_arrays(_STAMP, described=described, **keys)

    def _count_known(self) -> tuple[int, ...]:
        return tuple(len(each) for each in self._numbered)

    @contextmanager
    def _numbering(self, known: tuple[int, ...]) -> Iterator[None]:
        """Number parties; where anything fails, forget those that are not among so many."""
        try:
            yield
        except BaseException:
            for each, before in zip(self._numbered, known, strict=True):
                each.forget(before)
            raise

    def _lay_out(
        self, events: Sequence[Taken | Told], asked: Sequence[tuple[int, int]] = ()
    ) -> npt.NDArray[np.int64]:
        """Lay events out as rows, numbers in the place of keys: of all at once, which costs less.

        Args:
          events: in their order.
          asked: of payments that are decided on, what the last two columns say.
        """
        paid = [event for event in events if isinstance(event, Taken)]
        wallets, devices, merchants = (
            iter(each.number(keys))
            for each, keys in zip(
                self._numbered,
                (
                    [key for event in paid for key in (event.payer, event.payee)],
                    [event.device for event in paid if event.device is not None],
                    [event.merchant for event in paid if event.merchant is not None],
                ),
                strict=True,
            )
        )
        number, kind = count(self.next_number), ASKED if asked else PAYMENT
        say = iter(asked or repeat(_NOT_ASKED))
        laid_out = [
            (
                ATTEMPT if event.is_attempt else kind,
                next(number),
                event.time_ms,
                next(wallets),
                next(wallets),
                event.amount_minor,
                NOBODY if event.device is None else next(devices),
                NOBODY if event.merchant is None else next(merchants),
                event.attempt,
                *next(say),
            )
            if isinstance(event, Taken)
            else (LABEL, event.number, event.time_ms, event.is_fraud, *_NO_PAYMENT)
            for event in events
        ]
        return np.array(laid_out, np.int64).reshape(-1, EVENT_COLUMNS)


def begin_intake(*, zone_offset_ms: int = 0) -> Intake:
    """Begin to take events in; `zone_offset_ms` is what local time is ahead of UTC."""
    describer = Describer(Features(zone_offset_ms=zone_offset_ms), PaymentGraph())
    return Intake(describer, [Numbering() for _ in _NUMBERED])


def load_intake(kept: bytes) -> Intake:
    """Read back what `Intake.save` wrote: it goes on as if it had never stopped.

    Raises:
      Corrupt: these are not its bytes, or those of another version.
    """
    read = read_arrays(kept, _STAMP, "payments")
    del kept  # it may be gigabytes: as little as can be is there twice
    described = load_describer(read.pop("described").tobytes())
    return Intake(described, [load_numbering(read.pop(name).tobytes()) for name in _NUMBERED])
