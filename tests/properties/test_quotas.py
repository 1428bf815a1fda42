"""Who is charged for what, when members bring each other's envelopes in, too."""

from __future__ import annotations

import tempfile
from collections import Counter
from itertools import chain
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import IS_SOAK
from tests.world import OPERATORS, key, make_genesis, open_world, pay

from hansa.engine.storage import FileStorage
from hansa.kernel.errors import Invalid
from hansa.kernel.quota import SponsorUsage

QUOTA = (65_536, 9, 10, 100)
ENVELOPES = 12

repeated = st.builds(
    lambda number, times: [number] * times, st.integers(0, ENVELOPES - 1), st.integers(1, 60)
)
batches = st.tuples(
    st.sampled_from(OPERATORS),
    st.lists(repeated, min_size=1, max_size=6).map(lambda parts: list(chain(*parts))),
)


def get_used(world, sponsor):
    row = SponsorUsage.key(key(sponsor).address)
    return world.chain.machine.state.load(SponsorUsage, row)


@settings(max_examples=300 if IS_SOAK else 20, deadline=None)
@given(st.lists(batches, max_size=12))
def test_an_envelope_is_charged_once_and_bytes_to_who_brought_them(played):
    """Whatever members bring in of one another, nothing is executed for free or charged twice."""
    with tempfile.TemporaryDirectory() as folder:
        world = open_world(FileStorage(Path(folder)), make_genesis({"sponsor.quota": QUOTA}))
        world.fund("ann", "shop")
        sponsors = {name: get_used(world, name) or SponsorUsage(b"") for name in OPERATORS}
        begun = {name: (used.bytes_used, used.envelopes) for name, used in sponsors.items()}
        pool = [
            world.sign([key("ann")], pay("ann", "shop", 1, str(each))) for each in range(ENVELOPES)
        ]
        receipts: Counter[str] = Counter()
        sizes: Counter[str] = Counter()
        brought = set()
        for sponsor, numbers in played:
            taken = [pool[number] for number in numbers]
            result = world.apply(world.batch(*taken, sponsor=sponsor))
            receipts[sponsor] += len(result.receipts)
            for number, outcome in zip(numbers, result.outcomes[0], strict=True):
                if not isinstance(outcome, Invalid):
                    sizes[sponsor] += len(pool[number])
                    assert isinstance(outcome, int) is (number not in brought)
                    brought.add(number)
        for name in OPERATORS:
            used = get_used(world, name) or SponsorUsage(b"")
            size, envelopes = begun[name]
            assert used.envelopes == envelopes + receipts[name]
            assert used.bytes_used == size + sizes[name]
            assert used.bytes_used <= QUOTA[0]
            assert used.envelopes <= QUOTA[1]
        assert sum(receipts.values()) == len(brought)
        world.chain.close()
