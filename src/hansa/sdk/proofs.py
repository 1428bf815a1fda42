"""Verify proofs of rows: what a node says of a balance, against a sealed state root.

A proof shows that the row stood, or did not stand, in the state as of the checkpoint whose header
it carries, and that a sealer whom genesis names sealed that header.

Source: docs/reference/trees.md; docs/reference/http-api.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from hansa.kernel.block import Header
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.genesis import Network
from hansa.kernel.receipt_file import check_header, check_seals
from hansa.kernel.state import KeyPart, Row, decode_row
from hansa.kernel.trees.state_tree import verify_proof

R = TypeVar("R", bound=Row)


class _Seal(msgspec.Struct, frozen=True):
    suite: int
    public_key: str
    signature: str


class _Proof(msgspec.Struct, frozen=True):
    value: str | None
    path: list[str]
    header: str
    seals: list[_Seal]


@dataclass(frozen=True, slots=True)
class ProvenRow(Generic[R]):
    """What a proof shows."""

    row: R | None
    """None if there was no such row."""
    header: Header
    """Of the checkpoint as of which this is so."""


def verify_row_proof(
    network: Network, row_type: type[R], key: Sequence[KeyPart], found: Mapping[str, Any]
) -> ProvenRow[R]:
    """Verify the answer of `GET /v1/proofs/...`.

    Args:
      network: of the genesis that you trust.
      row_type: of the table asked for, as `hansa.contracts.balances.Balance`.
      key: its key fields, as (address, asset).
      found: the answer's JSON.

    Raises:
      Invalid: it is malformed, proves something else, or is not sealed for this network.
    """
    try:
        proof = msgspec.convert(found, _Proof)
        value = None if proof.value is None else bytes.fromhex(proof.value)
        path = [bytes.fromhex(node) for node in proof.path]
        raw = bytes.fromhex(proof.header)
        seals = [
            (seal.suite, bytes.fromhex(seal.public_key), bytes.fromhex(seal.signature))
            for seal in proof.seals
        ]
    except (msgspec.ValidationError, ValueError) as error:
        raise Invalid(InvalidCode.MALFORMED, f"this is no proof of a row: {error}") from None
    header = check_header(raw)
    check_seals(network, raw, seals)
    digest = network.digest
    value_hash = None if value is None else digest(value)
    verify_proof(header.state_root, digest(row_type.key(*key)), value_hash, path, digest)
    return ProvenRow(None if value is None else decode_row(row_type, value), header)
