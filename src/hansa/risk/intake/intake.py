"""What an operator takes in, in the order in which it did: payments and labels in, rows out.

Parties come by keys of 32 bytes and are numbered as they first appear. So the same events in the
same order give the same numbers and the same rows: at once, in a replay, on another machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.risk.arrays import read_arrays, write_arrays
from hansa.risk.events import NOBODY
from hansa.risk.features.layout import (
    AMOUNT,
    DEVICE,
    EVENT_COLUMNS,
    IS_FRAUD,
    KIND,
    LABEL,
    MERCHANT,
    NUMBER,
    PAYEE,
    PAYER,
    PAYMENT,
    TIME,
)
from hansa.risk.features.memory import Features
from hansa.risk.graph.graph import PaymentGraph
from hansa.risk.intake.describing import Describer, load_describer
from hansa.risk.intake.numbering import Numbering, load_numbering

_STAMP = "intake 1"
_NUMBERED = ("wallets", "devices", "merchants")

Whole = npt.NDArray[np.int64]


class Taken(NamedTuple):
    """A payment as it is taken in; its place in the order numbers it."""

    time_ms: int
    payer: bytes
    """Key of the wallet, 32 bytes."""
    payee: bytes
    amount_minor: int
    device: bytes | None = None
    merchant: bytes | None = None


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

    def take(self, events: Sequence[Taken | Told]) -> Whole:
        """Take events in, in this order.

        Returns:
          Of each payment its row, shape (n_payments, n_features).

        Raises:
          Invalid: an event is older than the one before it, a label of a payment that was not taken
            in, or a payment to its payer or of nothing; nothing was taken in.
          Unavailable: more payments than a node can remember; likewise.
        """
        known = [len(each) for each in self._numbered]
        try:
            return self._describer.take(self._lay_out(events))
        except BaseException:
            for each, count in zip(self._numbered, known, strict=True):
                each.forget(count)
            raise

    def save(self) -> bytes:
        """Write all that rows of later payments depend on."""
        keys = {
            name: np.frombuffer(each.save(), np.uint8)
            for name, each in zip(_NUMBERED, self._numbered, strict=True)
        }
        described = np.frombuffer(self._describer.save(), np.uint8)
        return write_arrays(_STAMP, described=described, **keys)

    def _lay_out(self, events: Sequence[Taken | Told]) -> Whole:
        """Lay events out in columns, as the describer takes them; gives new parties a number."""
        laid = np.full((len(events), EVENT_COLUMNS), NOBODY, np.int64)
        is_paid = np.array([isinstance(event, Taken) for event in events], np.bool_)
        for place in np.flatnonzero(~is_paid).tolist():
            told = events[place]
            laid[place, [KIND, NUMBER, TIME, IS_FRAUD]] = LABEL, *told
        paid = [event for event in events if isinstance(event, Taken)]
        if paid:
            number = self.next_number
            laid[is_paid, KIND] = PAYMENT
            laid[is_paid, NUMBER] = np.arange(number, number + len(paid))
            for column, values in self._read_columns(paid).items():
                laid[is_paid, column] = values
        return laid

    def _read_columns(self, paid: Sequence[Taken]) -> dict[int, Whole]:
        """Read payments column by column: what is done for all at once costs little for each."""
        wallets, devices, merchants = self._numbered
        times_ms, payers, payees, amounts, of_devices, of_merchants = zip(*paid, strict=True)
        numbers = wallets.number(list(chain.from_iterable(zip(payers, payees, strict=True))))
        return {
            TIME: np.array(times_ms, np.int64),
            PAYER: numbers[::2],
            PAYEE: numbers[1::2],
            AMOUNT: np.array(amounts, np.int64),
            DEVICE: _number_known(devices, of_devices),
            MERCHANT: _number_known(merchants, of_merchants),
        }


def _number_known(numbering: Numbering, keys: Sequence[bytes | None]) -> Whole:
    """Number the keys that are known; the others are nobody's."""
    numbers = np.full(len(keys), NOBODY, np.int64)
    is_known = np.array([key is not None for key in keys], np.bool_)
    numbers[is_known] = numbering.number([key for key in keys if key is not None])
    return numbers


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
    described = load_describer(read["described"].tobytes())
    return Intake(described, [load_numbering(read[name].tobytes()) for name in _NUMBERED])
