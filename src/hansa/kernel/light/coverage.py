"""Which blocks of a chain the votes of validators cover: one by name, all before it by its hash.

Source: docs/reference/light.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hansa.kernel.block import BlockRecord, decode_header
from hansa.kernel.errors import Invalid
from hansa.kernel.genesis import Network
from hansa.kernel.light.trail import Checkpoint, Trail, verify_header
from hansa.kernel.light.votes import Votes, begin


class Coverage:
    """Watches the blocks of a chain pass, and finds the one that validators signed.

    Whoever reads the blocks checks that each names the one before.

    Args:
      network: of the chain.
      votes: what is shown of the validators' votes; None for nothing.
      start: the checkpoint that is trusted; genesis where not given.
      due_height: of the block that the votes must be on; any will do where not given.
    """

    def __init__(
        self,
        network: Network,
        votes: Votes | None,
        start: Checkpoint | None = None,
        *,
        due_height: int | None = None,
    ) -> None:
        self.network = network
        self.voted_height: int | None = None
        """Of the newest block that is known to be signed, once it has passed."""
        self.height = -1
        """Of the last block that passed."""
        self.trail: Trail | None = None
        self._due_height = due_height
        self._fault = ""
        self._wanted = b""
        if votes is None or not network.genesis.is_voted:
            return
        try:
            self.trail = verify_header(
                start or begin(network), votes.hand_overs, votes.signed_header
            )
        except Invalid as error:
            self._fault = f"the votes of validators prove nothing: {error.message}"
            return
        self._wanted = votes.signed_header.header.app_hash

    def watch(self, records: Iterable[BlockRecord]) -> Iterator[BlockRecord]:
        """Pass blocks on, and look at each."""
        for record in records:
            self.look(record.header)
            yield record

    def look(self, header: bytes) -> None:
        """Look at the header of one block, such as the one that others begin behind."""
        try:
            self.height = decode_header(header).height
        except Invalid:
            return  # whoever reads the blocks tells of it
        network = self.network
        if self._wanted and network.digest(network.header_prefix + header) == self._wanted:
            self.voted_height = self.height

    def list_findings(self) -> list[str]:
        """List what is wrong, once all blocks have passed."""
        if self._fault:
            return [self._fault]
        if self.trail is None:
            return []
        if self.voted_height is None:
            height = self.trail.end.height
            text = (
                "none of these blocks is the one that validators signed at CometBFT's height "
                f"{height}: blocks are missing, or this is another history"
            )
            return [text]
        if self._due_height not in (None, self.voted_height):
            text = (
                f"validators' votes on block {self._due_height} are not shown, only those on "
                f"block {self.voted_height}"
            )
            return [text]
        return []

    def describe(self) -> str:
        """Say in words which blocks the votes do not cover; empty on a sealed network."""
        if not self.network.genesis.is_voted:
            return ""
        if self.trail is None or self.voted_height is None:
            return "No votes of validators were verified."
        tally, end = self.trail.tally, self.trail.end
        text = (
            f"{tally.signers} of {tally.validators} validators, with {tally.power_signed} of "
            f"{tally.power} power, signed block {self.voted_height} at CometBFT's height "
            f"{end.height}, as followed from height {self.trail.start.height}; the blocks before "
            "follow from it."
        )
        if self.voted_height < self.height:
            text += f" Votes on blocks {self.voted_height + 1} to {self.height} were not shown."
        return text
