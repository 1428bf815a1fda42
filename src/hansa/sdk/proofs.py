"""Verify proofs of rows: what a node says of a balance, against a sealed state root.

A proof shows that the row stood, or did not stand, in the state as of the checkpoint whose header
it carries, and that a sealer whom genesis names sealed that header, or validators signed it.

Source: docs/reference/trees.md; docs/reference/http-api.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import inspect

from hansa.contracts.balances import Balance
from hansa.contracts.currency import Asset, Vault
from hansa.contracts.identity.tiers import Lift
from hansa.contracts.members import Member
from hansa.contracts.policy import Policy
from hansa.contracts.wallets import Wallet
from hansa.kernel.block import Header, check_seals
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.genesis import Network
from hansa.kernel.light.votes import check_votes, decode_votes
from hansa.kernel.receipt_file import check_header
from hansa.kernel.rows import KeyPart, Row, decode_row
from hansa.kernel.trees.commitment import compute_place
from hansa.kernel.trees.state_tree import verify_proof
from hansa.sdk.answers import RowProof
from hansa.sdk.arguments import is_unicode

R = TypeVar("R", bound=Row)

TABLES: Mapping[str, type[Row]] = MappingProxyType(
    {
        "balances": Balance,
        "wallets": Wallet,
        "lifts": Lift,
        "vaults": Vault,
        "members": Member,
        "assets": Asset,
        "policy": Policy,
    }
)
"""What can be proved, by the name that the API gives it."""


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
      Invalid: it is malformed, proves something else, or is not sealed for this network; or no row
        of this table can have such a key.
    """
    check_key(row_type, key)
    try:
        proof = msgspec.convert(found, RowProof)
        value = None if proof.value is None else bytes.fromhex(proof.value)
        path = [bytes.fromhex(node) for node in proof.path]
        raw = bytes.fromhex(proof.header)
        votes = None if proof.votes is None else bytes.fromhex(proof.votes)
        seals = [
            (seal.suite, bytes.fromhex(seal.public_key), bytes.fromhex(seal.signature))
            for seal in proof.seals
        ]
    except (msgspec.ValidationError, ValueError) as error:
        raise Invalid(InvalidCode.MALFORMED, f"this is no proof of a row: {error}") from None
    header = check_header(raw)
    if network.genesis.is_voted and votes is not None:
        check_votes(network, raw, decode_votes(votes))
    else:
        check_seals(network, raw, seals)
    if header.checkpoint_height != header.height:
        raise Invalid(InvalidCode.MALFORMED, f"block {header.height} is no checkpoint")
    digest = network.digest
    value_hash = None if value is None else digest(value)
    place = compute_place(row_type.key(*key), digest)
    verify_proof(header.state_root, place, value_hash, path, digest)
    try:
        row = None if value is None else decode_row(row_type, value)
    except msgspec.MsgspecError as error:
        raise Invalid(
            InvalidCode.UNSUPPORTED_VERSION, f"the row is of another version: {error}"
        ) from None
    return ProvenRow(row, header)


def find_table(table: str, key: Sequence[bytes | str]) -> type[Row]:
    """Find the rows of a table that the API proves.

    Raises:
      Invalid: there is no such table, or its rows have another key.
    """
    kind = TABLES.get(table)
    if kind is None:
        raise Invalid(InvalidCode.ARGUMENTS, f"{table!r}: prove one of {', '.join(TABLES)}")
    check_key(kind, key)
    return kind


def check_key(row_type: type[Row], key: Sequence[KeyPart]) -> None:
    """Check that a row can have this key: that there is none with another would prove nothing.

    Raises:
      Invalid: it has too few or too many parts, or one is of another type, such as an address
        that is given as text.
    """
    title = f"a row of {row_type.__name__}"
    if len(key) != len(row_type.KEY):
        raise Invalid(
            InvalidCode.ARGUMENTS,
            f"{title} is named by {', '.join(row_type.KEY)}: {len(row_type.KEY)} parts, not "
            f"{len(key)}",
        )
    fields = {field.name: field.type for field in msgspec.structs.fields(row_type)}
    for name, part in zip(row_type.KEY, key, strict=True):
        kind = inspect.type_info(fields[name])
        if isinstance(kind, inspect.BytesType):
            form = f"{kind.min_length} bytes (hansa.kernel.crypto.address.from_text reads text)"
            is_good = isinstance(part, bytes) and len(part) == kind.min_length
        elif isinstance(kind, inspect.StrType):
            least, most = kind.min_length or 0, kind.max_length or 0
            form = f"text of {least} to {most} characters"
            is_good = isinstance(part, str) and least <= len(part) <= most and is_unicode(part)
        else:
            form, is_good = "a whole number", type(part) is int
        if not is_good:
            raise Invalid(
                InvalidCode.ARGUMENTS,
                f"{title}: its {name} is {form}, not {part!r:.80}",
                field=name,
            )


def build_path(table: str, key: Sequence[bytes | str]) -> str:
    """Build the path under which a node proves a row.

    Raises:
      Invalid: the row is named as a URL names the folder it is in, or the one above.
    """
    if key[0] in {".", ".."}:
        raise Invalid(
            InvalidCode.ARGUMENTS,
            f"no node can be asked for the row {key[0]!r} of {table}: in a URL that means another "
            "path",
        )
    texts = [quote(part, safe="") if isinstance(part, str) else to_text(part) for part in key]
    query = "" if len(texts) == 1 else f"?asset={texts[1]}"
    return f"/v1/proofs/{table}/{texts[0]}{query}"
