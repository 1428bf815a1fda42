"""Where CometBFT goes on from after a start, and answering it for blocks executed before.

Empty blocks of CometBFT make none here, and a quiet network makes one with every heartbeat. So it
is noted in a file now and then how far this node has come: those before are not replayed any more,
and need not be kept.

A restored backup brings the log, and nothing of CometBFT; or somebody lost CometBFT's `data/`. Then
CometBFT begins again with genesis and fetches its blocks from other nodes. It asks about each, and
what it is answered must be what every node answered then: the log has it. So nothing is executed
again, and nothing written, until CometBFT has come to where the log ends.

That this is under way is marked by a file, as CometBFT may be killed before it has all blocks: it
asks where we stand, and must not be told a height that it does not have.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from hansa.engine.chain import Chain
from hansa.engine.cometbft.home import CometHome
from hansa.engine.storage import FileStorage
from hansa.kernel.block import UPDATES_UNKNOWN, BlockRecord
from hansa.kernel.encoding import Decoder, Document, encode
from hansa.kernel.errors import Corrupt, Invalid, NotFound, Unavailable
from hansa.kernel.light.votes import begin
from hansa.kernel.values import Hash, NonNegative

Validators = Sequence[tuple[bytes, int]]

NOTED_EVERY = 100
"""Empty blocks of CometBFT between two notes; so many are replayed at a start."""


class _Note(Document, frozen=True, array_like=True):
    consensus_height: NonNegative
    head_hash: Hash


_NOTES: Decoder[_Note] = Decoder(_Note, "note of where CometBFT goes on")


class Standing:
    """Knows the block of CometBFT up to which this node has durably kept everything.

    Args:
      chain: of this node.
      note: the file; without one, only blocks that are in the log count.
      every: empty blocks between two notes.
    """

    def __init__(self, chain: Chain, note: Path | None = None, every: int = NOTED_EVERY) -> None:
        self._chain = chain
        self._note = note
        self._every = every
        self.height = max(chain.get_record(chain.head.height).consensus_height, self._read())
        """That block's, of CometBFT."""

    def advance(self, height: int, *, is_in_log: bool) -> None:
        """Take notice of a block that is committed; raises `Unavailable` if the disk refuses.

        Args:
          height: CometBFT's.
          is_in_log: whether it made a block here.
        """
        if is_in_log:
            self.height = height
        elif self._note is not None and height >= self.height + self._every:
            raw = encode(_Note(height, self._chain.machine.head_hash))
            FileStorage(self._note.parent).replace(self._note.name, raw)
            self.height = height

    def _read(self) -> int:
        """Read the note; 0 if there is none, or it is of before the newest block of the log."""
        note = None if self._note is None else _read_note(self._note)
        if note is None:
            return 0
        is_of_head = note.head_hash == self._chain.machine.head_hash
        return note.consensus_height if is_of_head else 0


def read_noted_height(path: Path) -> int:
    """Read up to which of CometBFT's blocks a node had come when it noted it; 0 if it has not.

    Raises:
      Corrupt: the note is damaged.
    """
    note = _read_note(path)
    return 0 if note is None else note.consensus_height


def _read_note(path: Path) -> _Note | None:
    try:
        file = FileStorage(path.parent, read_only=True).open(path.name, writable=False)
    except NotFound:
        return None
    try:
        return _NOTES.decode(file.pread(file.size(), 0))
    except Invalid as error:
        raise Corrupt(
            f"{path} is damaged: {error.message}. Remove it; if CometBFT then says that "
            "it lacks blocks, join the network anew from a snapshot",
            path=str(path),
        ) from None
    finally:
        file.close()


class Repeat:
    """Goes through a chain's log beside CometBFT."""

    def __init__(self, chain: Chain, marker: Path) -> None:
        self._chain = chain
        self._marker = marker
        first = begin(chain.network).validators.validators
        self.validators: Validators = sorted((each.public_key, each.power) for each in first)
        """Those of genesis."""
        self.until = chain.get_record(chain.head.height).consensus_height
        """Height of CometBFT at which the log ends."""
        self._height = 0

    @classmethod
    def begin(cls, chain: Chain, home: CometHome) -> Self | None:
        """Begin where CometBFT lacks blocks that the log has, or go on; None where it has all.

        Args:
          chain: of this node.
          home: CometBFT's folder, before CometBFT is started.

        Raises:
          Unavailable: the log does not have the first blocks any more, or has them from a snapshot.
        """
        newest = chain.get_record(chain.head.height).consensus_height
        marker = home.repeating_path
        if not home.has_blocks():
            home.standing_path.unlink(missing_ok=True)
        if newest == 0 or (home.has_blocks() and not marker.exists()):
            return None
        _require_whole(chain, home)
        FileStorage(marker.parent).replace(marker.name, b"")
        return cls(chain, marker)

    @property
    def app_hash(self) -> bytes:
        """The hash that CometBFT was told after the block taken last."""
        network = self._chain.network
        header = self._chain.get_record(self._height).header
        return network.digest(network.header_prefix + header)

    def take(self, consensus_height: int, txs: Sequence[bytes]) -> BlockRecord | None:
        """Take the next block of CometBFT; returns ours, None where it made none.

        Raises:
          Corrupt: it is not the block that was executed here.
        """
        if self._height == self._chain.head.height:
            return None
        record = self._chain.get_record(self._height + 1)
        if record.consensus_height > consensus_height:
            return None
        batches = set(record.batches)
        executed = tuple(raw for raw in dict.fromkeys(txs) if raw in batches)
        if record.consensus_height < consensus_height or executed != record.batches:
            raise Corrupt(
                f"CometBFT's block {consensus_height} is not the one that this node executed as "
                f"block {self._height + 1}: the other nodes show another history than this log",
                height=self._height + 1,
            )
        self._height += 1
        return record

    def end(self) -> None:
        """CometBFT has what the log has."""
        self._marker.unlink(missing_ok=True)


def _require_whole(chain: Chain, home: CometHome) -> None:
    """Refuse a log from which CometBFT cannot be answered for all blocks since genesis."""
    first = chain.log.height_min
    if first > 0:
        why = f"begins with block {first}: it cannot answer for those before"
    elif chain.get_record(first).validator_updates == UPDATES_UNKNOWN:
        why = "came with a snapshot, which does not say what CometBFT was told of validators"
    else:
        return
    raise Unavailable(
        f"CometBFT has no blocks in {home.path}, and this node's log {why}. Set the node up anew "
        "from a snapshot (docs/how-to/run-a-network.md)",
        path=str(home.path),
    )
