"""A payment's whole row: what is remembered of its parties, and what the graph around it tells.

Both are asked of the same payments in the same order, and take all of a block in or none of it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.risk.arrays import read_arrays, write_arrays
from hansa.risk.catalogue import find_columns, hash_features
from hansa.risk.compiled import compiled
from hansa.risk.features import catalogue as parties
from hansa.risk.features.layout import (
    AMOUNT,
    KIND,
    LABEL,
    PAYEE,
    PAYER,
    PAYMENT,
    TICK,
    TIME,
)
from hansa.risk.features.memory import Features
from hansa.risk.features.memory import load as load_features
from hansa.risk.graph import catalogue as graph
from hansa.risk.graph.graph import PaymentGraph

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
_PARTIES = len(parties.FEATURES)
_EDGE = (PAYER, PAYEE, AMOUNT, TIME)

Whole = npt.NDArray[np.int64]


@compiled
def draw_edges(events: Whole, edges: Whole, are_made: Whole) -> int:
    """Draw the payments among events as edges of the graph, also what is not remembered.

    Args:
      events: as `Describer.take` takes them.
      edges: shape (n, 4); filled as `PaymentGraph.take` takes them.
      are_made: shape (n,); likewise.

    Returns:
      How many there are; -1 if one is to its payer or of nothing.
    """
    count = 0
    for place in range(events.shape[0]):
        kind = events[place, KIND]
        if kind not in (LABEL, TICK):
            if events[place, PAYER] == events[place, PAYEE] or events[place, AMOUNT] < 1:
                return -1
            for column in range(len(_EDGE)):
                edges[count, column] = events[place, _EDGE[column]]
            are_made[count] = kind == PAYMENT
            count += 1
    return count


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

    def take(self, events: Whole, told: Whole | None = None) -> Whole:
        """Describe events in their recorded order, and remember what is made: all of them, or none.

        Args:
          events: shape (n, `EVENT_COLUMNS`), as `hansa.risk.features.memory.write_events` lays
            them out.
          told: of one payment, its row, if it was just looked at.

        Returns:
          Of each payment its row, shape (n_payments, n_features).

        Raises:
          Invalid: a payment is to its payer or of nothing, or the events cannot follow those
            before them; nothing was remembered.
          Unavailable: more payments than a node can remember.
        """
        edges = np.empty((len(events), len(_EDGE)), np.int64)
        are_made = np.empty(len(events), np.int64)
        count = draw_edges(events, edges, are_made)
        if count < 0:
            raise Invalid(
                InvalidCode.ARGUMENTS,
                "a payment goes to its own payer, or is of nothing: neither can be described",
            )
        if told is not None:
            self.features.take(events, told[:, :_PARTIES])
            self.graph.take(edges, told[:, _PARTIES:], are_made, are_filled=True)
            return told
        of_parties = self.features.take(events)
        of_graph = self.graph.take(edges[:count], are_made=are_made[:count])
        return np.concatenate((of_parties, of_graph), axis=1)

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
