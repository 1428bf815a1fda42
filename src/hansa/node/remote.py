"""What another node sends, for audit and verification, which believe none of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from hansa.engine.snapshots.beginning import Base, make_base
from hansa.engine.snapshots.format import Manifest, compute_sum, decode_manifest, refuse
from hansa.kernel.block import BlockRecord
from hansa.kernel.errors import Invalid, InvalidCode, NotFound, Unavailable
from hansa.kernel.genesis import Network
from hansa.node.records import read_record
from hansa.sdk.client import Client


def iterate_remote(client: Client, to_height: int, from_height: int = 0) -> Iterator[BlockRecord]:
    """Iterate blocks that a node sends, in order; one at a time is in memory, none is believed.

    Raises:
      Refused: the caller may not read whole blocks.
      Unavailable: the node stops early.
      Corrupt: something is no block record; names the height.
    """
    for height, raw in enumerate(client.stream_records(from_height, to_height), from_height):
        yield read_record(raw, height)


@contextmanager
def open_remote_base(client: Client, network: Network) -> Iterator[Base | None]:
    """Build what a node's blocks begin from, in a temporary folder; None if that is genesis.

    Its rows are those of its last header's state root. Whether that header is of the network's
    history is shown by the blocks behind it.

    Raises:
      Refused: the caller may not read whole blocks.
      Invalid: the node sends a snapshot that its last header does not prove.
      Unavailable: the node stops early.
    """
    with ExitStack() as undo:
        base = None
        frames = undo.enter_context(closing(client.stream_base()))
        try:
            manifest = decode_manifest(next(frames, b""))
            base = undo.enter_context(make_base(manifest, _check(manifest, frames), network))
        except NotFound:
            pass  # it keeps all blocks
        except Invalid as error:
            if error.code is InvalidCode.UNAUTHENTICATED:
                raise  # what the node says of the caller
            message = f"what the node sends as its beginning proves nothing: {error.message}"
            raise Invalid(error.code, message, **error.facts) from None
        yield base


def _check(manifest: Manifest, frames: Iterator[bytes]) -> Iterator[bytes]:
    """Pass on the chunks that a manifest names."""
    for number, expected in enumerate(manifest.chunks):
        chunk = next(frames, None)
        if chunk is None:
            raise Unavailable(f"the node sent {number} of {len(manifest.chunks)} chunks: try again")
        if compute_sum(chunk) != expected:
            raise refuse(f"chunk {number} is not the one that its manifest names")
        yield chunk
