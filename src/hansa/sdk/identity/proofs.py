"""Rows that a node has proved, many under one state root, and reading from them.

Source: docs/reference/http-api.md, "Proofs about identity"; docs/reference/trees.md.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from hansa.kernel.block import Header, check_seals
from hansa.kernel.encoding import DECODE_ERRORS, Document, tell_fault
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.genesis import Network
from hansa.kernel.light.votes import check_votes, decode_votes
from hansa.kernel.receipt_file import check_header
from hansa.kernel.rows import KeyPart, Row, decode_row
from hansa.kernel.trees.commitment import compute_place
from hansa.kernel.trees.multiproof import verify_many

R = TypeVar("R", bound=Row)

ROWS_MAX = 65_536
NODES_MAX = 2**20


class RowsProof(Document, frozen=True, array_like=True):
    """Rows, or that there are none, with the nodes of the state tree above them."""

    header: bytes
    """Of the checkpoint as of which this is so."""
    seals: tuple[tuple[int, bytes, bytes], ...]
    """Suite, public key and signature; none where validators vote."""
    votes: bytes | None
    """Theirs on the header, with the hand-overs to them."""
    rows: Annotated[tuple[tuple[bytes, bytes | None], ...], Meta(max_length=ROWS_MAX)]
    """Packed key, and the row's encoding or nil."""
    nodes: Annotated[tuple[bytes, ...], Meta(max_length=NODES_MAX)]


_decode = msgspec.msgpack.Decoder(RowsProof).decode


class ProvenRows:
    """Rows as of one checkpoint, all of which were proved; a `Rows`.

    Args:
      header: of the checkpoint.
      encoded: the rows' encodings by packed key; None where it was proved that there is none.
    """

    __slots__ = ("_encoded", "_read", "header")

    def __init__(self, header: Header, encoded: dict[bytes, bytes | None]) -> None:
        self.header = header
        self._encoded = encoded
        self._read: dict[bytes, Any] = {}

    def get(self, row_type: type[R], *key: KeyPart) -> R | None:
        """Get a row, or None if it was proved that there is none.

        Raises:
          Invalid: neither was proved, or the row is of a version that this program does not know.
        """
        packed = row_type.key(*key)
        found = self._read.get(packed)
        if found is not None:
            return found  # type: ignore[no-any-return]
        if packed not in self._encoded:
            raise Invalid(
                InvalidCode.MALFORMED,
                f"the node proves something, but not the row of {row_type.__name__} that the "
                "answer rests on: ask another node",
            )
        raw = self._encoded[packed]
        if raw is None:
            return None
        try:
            found = self._read[packed] = decode_row(row_type, raw)
        except DECODE_ERRORS as error:
            raise Invalid(
                InvalidCode.UNSUPPORTED_VERSION,
                f"a row of {row_type.__name__} is of another version: {tell_fault(error)}",
            ) from None
        return found


def verify_rows(network: Network, raw: bytes) -> ProvenRows:
    """Verify the answer of `POST /v1/identity/proofs`.

    Costs about the hashing of its nodes; see docs/performance.md.

    Args:
      network: of the genesis that you trust.
      raw: the answer.

    Raises:
      Invalid: it is malformed, proves something else, or is not sealed for this network.
    """
    try:
        proof = _decode(raw)
    except DECODE_ERRORS as error:
        raise Invalid(
            InvalidCode.MALFORMED, f"this is no proof of rows: {tell_fault(error)}"
        ) from None
    header = check_header(proof.header)
    if network.genesis.is_voted and proof.votes is not None:
        check_votes(network, proof.header, decode_votes(proof.votes))
    else:
        check_seals(network, proof.header, list(proof.seals))
    if header.checkpoint_height != header.height:
        raise Invalid(InvalidCode.MALFORMED, f"block {header.height} is no checkpoint")
    digest, rows = network.digest, dict(proof.rows)
    claims = {
        compute_place(key, digest): None if value is None else digest(value)
        for key, value in rows.items()
        if len(key) > 1
    }
    if len(claims) != len(proof.rows):
        raise Invalid(InvalidCode.MALFORMED, "the proof has a row twice, or one of no table")
    verify_many(header.state_root, claims, proof.nodes, digest)
    return ProvenRows(header, rows)
