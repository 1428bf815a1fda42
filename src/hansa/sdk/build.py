"""Build and sign transactions and batches: from commands and keys to bytes on the wire."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hansa.contracts.registry import MODULES
from hansa.kernel.contract import Command
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.genesis import Network
from hansa.kernel.transaction import (
    Signature,
    build_batch,
    build_batch_body,
    build_body,
    build_envelope,
    compute_tx_id,
)
from hansa.sdk.keys import KeyPair

NONCE_BYTES = 16
VALIDITY_MS = 120_000
"""How long a transaction is valid where the caller does not say."""

_WORDS: dict[type[Command], tuple[str, str]] = {
    command: (module.NAME, word)
    for module in MODULES
    for word, (command, _) in module.COMMANDS.items()
}


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """An envelope ready to be sent, and its id."""

    envelope: bytes
    tx_id: bytes


NamedCall = tuple[str, str, Command]
"""Contract, command word and arguments."""


def name_call(command: Command | NamedCall) -> NamedCall:
    """Name the contract and command word that a command object belongs to.

    >>> from hansa.contracts.wallets import SelfFreeze
    >>> name_call(SelfFreeze(bytes(32)))[:2]
    ('wallets', 'self_freeze')

    Raises:
      Invalid: it is no command of any contract; those of contracts that this package does not
        ship come as (contract, word, command).
    """
    if isinstance(command, tuple):
        return command
    if type(command) not in _WORDS:
        raise Invalid(
            InvalidCode.ARGUMENTS, f"{type(command).__name__} is no command of any contract"
        )
    return (*_WORDS[type(command)], command)


def sign_transaction(
    network: Network,
    keys: Sequence[KeyPair],
    commands: Sequence[Command | NamedCall],
    valid_until_ms: int,
    entropy: Callable[[int], bytes] = os.urandom,
) -> SignedTransaction:
    """Build and sign a transaction whose commands succeed or fail together.

    Args:
      network: the network it is for; it is worth nothing on another.
      keys: all signers, each once; the first one's nonce it is.
      commands: at least one, of any contracts.
      valid_until_ms: ledger time, at most 15 minutes ahead.
      entropy: source of the 16-byte nonce.
    """
    body = build_unsigned([key.address for key in keys], commands, valid_until_ms, entropy)
    message = network.tx_prefix + body
    signatures = [Signature(key.suite, key.public_key, key.sign(message)) for key in keys]
    return SignedTransaction(build_envelope(body, signatures), compute_tx_id(network, body))


def build_unsigned(
    signers: Sequence[bytes],
    commands: Sequence[Command | NamedCall],
    valid_until_ms: int,
    entropy: Callable[[int], bytes] = os.urandom,
) -> bytes:
    """Build the body of a transaction, for its signers to sign one after the other.

    Args:
      signers: addresses of all keys that will sign, each once, in the order of the signatures.
      commands: as in `sign_transaction`.
      valid_until_ms: as in `sign_transaction`.
      entropy: source of the 16-byte nonce.

    Raises:
      Invalid: something is no command of any contract; or `AMOUNT` or `ARGUMENTS`, naming the
        field, where a value has no form on the wire, such as 2**64.
    """
    calls = [name_call(command) for command in commands]
    try:
        return build_body(signers, entropy(NONCE_BYTES), valid_until_ms, calls)
    except (OverflowError, TypeError, ValueError) as error:
        raise _explain(calls, error) from None


def _explain(calls: Sequence[NamedCall], error: Exception) -> Invalid:
    """Find the field that cannot be encoded."""
    for contract, word, command in calls:
        for field in command.__struct_fields__:
            try:
                encode(getattr(command, field))
            except (OverflowError, TypeError, ValueError) as found:
                is_amount = field.endswith("_minor")
                code = InvalidCode.AMOUNT if is_amount else InvalidCode.ARGUMENTS
                return Invalid(code, f"{contract}.{word}: {field}: {found}", field=field)
    return Invalid(InvalidCode.ARGUMENTS, f"the transaction cannot be encoded: {error}")


def sign_batch(
    network: Network,
    sponsor: bytes,
    key: KeyPair,
    items: Sequence[tuple[bytes, bytes | None]],
) -> bytes:
    """Build and sign a batch of (envelope, attestation or None) for a sponsoring member."""
    body = build_batch_body(sponsor, items)
    signature = Signature(key.suite, key.public_key, key.sign(network.batch_prefix + body))
    return build_batch(body, signature)


def build_item(
    envelope: bytes, attestation: bytes | None = None, device: str = ""
) -> dict[str, str]:
    """Build the JSON object in which an envelope is sent to a node."""
    item = {"envelope": base64.b64encode(envelope).decode()}
    if attestation is not None:
        item["attestation"] = attestation.hex()
    if device:
        item["device"] = device
    return item
