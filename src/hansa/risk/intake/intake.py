"""What an operator takes in, in the order in which it did: payments and labels in, rows out.

Parties come by keys of 32 bytes and are numbered as they first appear. So the same events in the
same order give the same numbers and the same rows: at once, in a replay, on another machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.risk.arrays import read_arrays, write_arrays
from hansa.risk.events import NOBODY, Label, Payment
from hansa.risk.features.layout import ATTEMPT, KIND, LOOK, PAYMENT
from hansa.risk.features.memory import Features, write_events
from hansa.risk.graph.graph import PaymentGraph
from hansa.risk.intake.describing import Describer, load_describer
from hansa.risk.intake.numbering import KEY_BYTES, Numbering, load_numbering

_STAMP = "intake 1"
_NUMBERED = ("wallets", "devices", "merchants")


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


class Looked(NamedTuple):
    """Payments as they were described and not yet taken in."""

    rows: npt.NDArray[np.int64]
    """Shape (n, n_features): each as if it came alone."""
    events: npt.NDArray[np.int64]
    """As they are laid out."""
    known: tuple[int, ...]
    """So many wallets, devices and merchants there were before."""


class Told(NamedTuple):
    """What became known of a payment."""

    number: int
    """Of the payment."""
    time_ms: int
    is_fraud: bool


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
            return self._describer.take(write_events(self._number(events)))

    def look(self, payments: Sequence[Taken]) -> Looked:
        """Describe payments and take none in; `keep` follows, with nothing in between.

        Args:
          payments: all of one moment.

        Raises:
          Invalid: as `take`.
          Unavailable: as `take`.
        """
        known = self._count_known()
        with self._numbering(known):
            events = write_events(self._number(payments))
            events[:, KIND] = LOOK
            return Looked(self._describer.take(events), events, known)

    def keep(self, looked: Looked, are_attempts: Sequence[bool]) -> npt.NDArray[np.int64]:
        """Take in what was looked at: payments that are let through, and others as attempts.

        Returns:
          Of each its row, shape (n, n_features): as of those before it that are remembered.

        Raises:
          Unavailable: as `take`.
        """
        with self._numbering(looked.known):
            for place, is_attempt in enumerate(are_attempts):
                looked.events[place, KIND] = ATTEMPT if is_attempt else PAYMENT
            told = looked.rows if len(are_attempts) == 1 else None
            return self._describer.take(looked.events, told)

    def try_out(self) -> None:
        """Take in a payment of nobody, all ways there are, so that machine code is ready."""
        trial = Taken(self.now_ms, bytes(KEY_BYTES), bytes([1]) * KEY_BYTES, 1)
        self.take([trial])
        for many in (1, 2):
            self.keep(self.look([trial] * many), [True] * many)

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

    def _number(self, events: Sequence[Taken | Told]) -> list[Payment | Label | int]:
        """Put numbers in the place of keys: of all events at once, which costs little for each."""
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
        number = count(self.next_number)
        return [
            Payment(
                next(number),
                event.time_ms,
                next(wallets),
                next(wallets),
                event.amount_minor,
                NOBODY if event.device is None else next(devices),
                NOBODY if event.merchant is None else next(merchants),
                event.attempt,
                event.is_attempt,
            )
            if isinstance(event, Taken)
            else Label(*event)
            for event in events
        ]


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
