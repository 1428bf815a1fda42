"""Nodes of other members, as one that joins sees them: each with a CometBFT that tests turn."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from tests.comet_rpc import FakeRpc
from tests.vectors.voting import make_voted

from hansa.engine.cometbft.rpc.light import fetch_light_block
from hansa.kernel.encoding import encode
from hansa.kernel.light.votes import Votes
from hansa.node.joining.trust import Source

NETWORK = make_voted()
NEWEST = 40


def hash_header(header: bytes) -> bytes:
    """Hash a header of our own, as CometBFT's next one names it."""
    return NETWORK.digest(NETWORK.header_prefix + header)


class Member:
    """A node that is asked, and says what a test wants."""

    def __init__(self, *heights: int) -> None:
        """Offer snapshots of these blocks; block n was CometBFT's block n."""
        self.heights = heights
        self.headers = {height: b"header %d" % height for height in heights}
        named = {height + 1: hash_header(self.headers[height]) for height in heights}
        self.comet = FakeRpc(NETWORK, NEWEST, named)

    def as_source(self, name: str) -> Source:
        """Be asked under a name."""
        return Source(f"https://{name}.example", self)  # type: ignore[arg-type]

    async def get(self, path: str) -> Mapping[str, Any]:
        """Answer `/v1/snapshots`, or what a light client asks for."""
        if path == "/v1/snapshots":
            return {"snapshots": [self._describe(height) for height in self.heights]}
        found = await fetch_light_block(self.comet, int(path.removeprefix("/v1/consensus/")))
        return found._asdict()

    async def get_block(self, height: int) -> SimpleNamespace:
        """Answer the header of a block."""
        return SimpleNamespace(header=self.headers[height].hex())

    async def fetch_votes(self, height: int) -> bytes:
        """Answer the votes on a block."""
        signed = self.comet.sign(height + 1)
        return encode(Votes(self.comet.council.list_hand_overs(height + 1), signed))

    def _describe(self, height: int) -> dict[str, Any]:
        header_hash = hash_header(self.headers[height]).hex()
        common = {"height": height, "consensus_height": height, "chunks": 1}
        return {**common, "header_hash": header_hash, "hash": "00" * 32}
