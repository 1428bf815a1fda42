"""A payment's whole row: what is remembered of its parties, and what the graph around it tells.

Both are of the same payments in the same order, and take all of a block in or none of it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.risk.arrays import read_arrays, write_arrays
from hansa.risk.catalogue import find_columns, hash_features
from hansa.risk.decisions.weighing import NO_CALIBRATION, NO_TREES, WEIGHED_COLUMNS, Weighing
from hansa.risk.features import catalogue as parties
from hansa.risk.features.layout import PAYEE, PAYER
from hansa.risk.features.loop import Finding
from hansa.risk.features.memory import Features, build_refusal, write_passing
from hansa.risk.features.memory import load as load_features
from hansa.risk.graph import catalogue as graph
from hansa.risk.graph.graph import PaymentGraph
from hansa.risk.intake.loop import NO_EDGE, NO_WORDS, Memory, take_in
from hansa.risk.rules.firing import lay_out

CATALOGUE = (
    *parties.FEATURES,
    *(each._replace(name=f"graph_{each.name}") for each in graph.FEATURES),
)
"""What a row holds, in its order; the first is the amount."""
FEATURES = tuple(find_columns(CATALOGUE))
"""The names of these."""
FEATURES_HASH = hash_features(CATALOGUE)
"""What a record of a decision names this set of features by."""
_STAMP = "describer 1"

Whole = npt.NDArray[np.int64]


class Asking(NamedTuple):
    """What decides on payments as they are taken in, and where it is told."""

    laid_out: tuple[Any, ...]
    """A `Weighing`."""
    fired: npt.NDArray[np.bool_]
    weighed: Whole


NOTHING_ASKED = Asking(
    Weighing(NO_TREES, NO_CALIBRATION, lay_out([]), np.empty(0, np.int64), 0).lay_out(),
    np.empty((0, 0), np.bool_),
    np.empty((0, WEIGHED_COLUMNS), np.int64),
)
"""Nothing decides: what is taken in was decided on before."""


class Describer:
    """What an operator remembers of payments, and the rows that it gives of those that come."""

    def __init__(self, features: Features, payments: PaymentGraph) -> None:
        """Go on from what is remembered.

        Args:
          features: of payers, payees, pairs, devices and merchants.
          payments: the graph of the same payments.
        """
        self.features = features
        self.graph = payments

    def take(self, events: Whole, asking: Asking = NOTHING_ASKED) -> Whole:
        """Describe events in their recorded order, and remember what is made: all of them, or none.

        Args:
          events: shape (n, `EVENT_COLUMNS`), as `hansa.risk.features.memory.write_events` lays
            them out; one that is asked becomes what was decided.
          asking: what decides on those that are asked; its arrays are filled as `take_in` does.

        Returns:
          Of each payment its row, shape (n_payments, n_features).

        Raises:
          Invalid: a payment is to its payer or of nothing, or the events cannot follow those
            before them; nothing was remembered.
          Unavailable: more payments than a node can remember.
        """
        rows = np.empty((len(events), len(FEATURES)), np.int64)
        finding, place = self._take(events, asking, 0, rows)
        if finding == Finding.NO_ROOM:
            self._take(write_passing(events), NOTHING_ASKED, 0, rows)
            self.features.make_room(events)
            self.graph.make_room(1 + int(events[:, [PAYER, PAYEE]].max()))
            finding, place = self._take(events, asking, 0, rows)
        while finding == NO_WORDS:
            self.graph.grow_words()
            finding, place = self._take(events, asking, place, rows)
        if finding == NO_EDGE:
            raise Invalid(
                InvalidCode.ARGUMENTS,
                "a payment goes to its own payer, or is of nothing: neither can be described",
            )
        if finding != Finding.NOTHING:
            raise build_refusal(events, finding, place)
        return rows[:place]

    def _take(self, events: Whole, asking: Asking, first: int, rows: Whole) -> tuple[int, int]:
        memory = Memory(
            self.features.state, self.graph.arrays, self.graph.reach, self.features.zone_offset_ms
        )
        told = (rows, asking.fired, asking.weighed)
        return take_in(memory.lay_out(), asking.laid_out, events, first, told)

    def save(self) -> bytes:
        """Write all that rows of later payments depend on."""
        return write_arrays(
            _STAMP,
            parties=np.frombuffer(self.features.save(), np.uint8),
            graph=np.frombuffer(self.graph.save(), np.uint8),
        )


def load_describer(kept: bytes) -> Describer:
    """Read back what `Describer.save` wrote: it goes on as if it had never stopped.

    Raises:
      Corrupt: these are not its bytes, or those of another version.
    """
    read = read_arrays(kept, _STAMP, "payments")
    del kept  # it may be gigabytes: as little as can be is there twice
    features = load_features(read.pop("parties").tobytes())
    return Describer(features, PaymentGraph.load(read.pop("graph").tobytes()))
