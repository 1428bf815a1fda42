"""Envelope files: a transaction on its way from signer to signer, before it is sent.

JSON with the body and the signatures so far. What a signer agrees to is the body; nothing beside
it in the file is believed. Format: docs/reference/cli.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import msgspec

from hansa.kernel.crypto.address import address_of, to_text
from hansa.kernel.crypto.signatures import SignatureCheck, verify_many
from hansa.kernel.encoding import DECODE_ERRORS, tell_fault
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.genesis import Network
from hansa.kernel.transaction import (
    Body,
    Signature,
    build_envelope,
    compute_tx_id,
    decode_envelope,
)
from hansa.sdk.files import read_file, write_file
from hansa.sdk.keys import KeyPair

FILE_BYTES_MAX = 1 << 20


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The JSON object; byte strings are lower-case hexadecimal."""

    format: Literal["hansa-envelope"]
    version: Literal[1]
    genesis_hash: str
    body: str
    signatures: tuple[tuple[int, str, str], ...]


@dataclass(frozen=True, slots=True)
class PartialEnvelope:
    """A body with the signatures that are there so far."""

    genesis_hash: bytes
    raw_body: bytes
    signatures: tuple[Signature, ...] = ()

    @property
    def body(self) -> Body:
        """What the signers agree to; raises `Invalid` if it is no body."""
        return decode_envelope(build_envelope(self.raw_body, ()))[1]

    def sign(self, network: Network, key: KeyPair) -> PartialEnvelope:
        """Add a key's signature; the same key twice adds one.

        Raises:
          Invalid: another network, or the body does not name this key as a signer.
        """
        self._require_network(network)
        if key.address not in self.body.signers:
            raise Invalid(
                InvalidCode.SIGNERS,
                f"{key.address_text} is none of the signers that the transaction names",
            )
        signature = Signature(
            key.suite, key.public_key, key.sign(network.tx_prefix + self.raw_body)
        )
        others = [item for item in self.signatures if item.public_key != key.public_key]
        return replace(self, signatures=(*others, signature))

    def list_missing(self, network: Network) -> list[bytes]:
        """List the signers who have not signed yet.

        Raises:
          Invalid: another network, or a signature that is there does not verify.
        """
        signed = self._check(network)
        return [signer for signer in self.body.signers if signer not in signed]

    def complete(self, network: Network) -> bytes:
        """Build the envelope, once everybody has signed.

        Raises:
          Invalid: somebody has not, or a signature does not verify.
        """
        signed = self._check(network)
        missing = [signer for signer in self.body.signers if signer not in signed]
        if missing:
            names = ", ".join(map(to_text, missing))
            raise Invalid(InvalidCode.SIGNERS, f"these have not signed yet: {names}")
        return build_envelope(self.raw_body, [signed[signer] for signer in self.body.signers])

    def compute_tx_id(self, network: Network) -> bytes:
        """Compute the transaction's id."""
        return compute_tx_id(network, self.raw_body)

    def _check(self, network: Network) -> dict[bytes, Signature]:
        """Check all signatures; returns them by signer."""
        self._require_network(network)
        message = network.tx_prefix + self.raw_body
        checks = [
            SignatureCheck(item.suite, item.public_key, item.signature, message)
            for item in self.signatures
        ]
        if not all(verify_many(checks)):
            raise Invalid(InvalidCode.SIGNATURE, "a signature in the envelope file does not verify")
        return {
            address_of(item.suite, item.public_key, network.digest): item
            for item in self.signatures
        }

    def _require_network(self, network: Network) -> None:
        if self.genesis_hash != network.genesis_hash:
            raise Invalid(
                InvalidCode.SIGNATURE,
                f"the transaction is for the network {self.genesis_hash.hex()}, not for "
                f"{network.genesis_hash.hex()}",
            )


def save_envelope(path: Path, envelope: PartialEnvelope, *, replace: bool = False) -> None:
    """Write an envelope file.

    Raises:
      NotFound: there is no such folder.
      Invalid: a file is there and `replace` was not asked for.
      Unavailable: the disk refused.
    """
    file = _File(
        format="hansa-envelope",
        version=1,
        genesis_hash=envelope.genesis_hash.hex(),
        body=envelope.raw_body.hex(),
        signatures=tuple(
            (item.suite, item.public_key.hex(), item.signature.hex())
            for item in envelope.signatures
        ),
    )
    raw = msgspec.json.format(msgspec.json.encode(file)) + b"\n"
    try:
        write_file(path, raw, replace=replace)
    except FileExistsError:
        raise Invalid(
            InvalidCode.MALFORMED, f"{path} exists already: name another file", path=str(path)
        ) from None


def load_envelope(path: Path) -> PartialEnvelope:
    """Read an envelope file.

    Raises:
      NotFound: there is no such file.
      Invalid: it is none.
      Unavailable: it cannot be read.
    """
    raw = read_file(path, FILE_BYTES_MAX)
    try:
        file = msgspec.json.decode(raw, type=_File)
        found = PartialEnvelope(
            bytes.fromhex(file.genesis_hash),
            bytes.fromhex(file.body),
            tuple(
                Signature(suite, bytes.fromhex(public_key), bytes.fromhex(signature))
                for suite, public_key, signature in file.signatures
            ),
        )
        _ = found.body  # raises if it is none
    except (*DECODE_ERRORS, Invalid) as error:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"{path} is no envelope file: {tell_fault(error)}",
            path=str(path),
        ) from None
    return found
