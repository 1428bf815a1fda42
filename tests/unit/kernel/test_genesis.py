"""What a network is sealed or voted by; the rest of genesis is in tests/vectors/genesis."""

from __future__ import annotations

import pytest
from tests.vectors.make_genesis import make_voted
from tests.vectors.parts import NETWORKS

from hansa.kernel.block import check_seals, is_sealed
from hansa.kernel.errors import Invalid
from hansa.kernel.genesis import Network, decode_genesis


def test_a_voted_network_comes_back_and_has_no_seals() -> None:
    sealed = NETWORKS["vectors"].genesis
    voted = make_voted(sealed)
    assert decode_genesis(voted.encoded()) == voted
    assert (sealed.is_voted, voted.is_voted) == (False, True)
    network = Network.of(voted)
    with pytest.raises(Invalid, match="validators sign blocks"):
        check_seals(network, b"header", ())
    assert not is_sealed(network, b"header", ((1, bytes(32), bytes(64)),))
