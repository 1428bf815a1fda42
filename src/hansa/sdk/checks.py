"""What a client compares before it believes a node: that it is answered about what it asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from hansa.kernel.block import Receipt, decode_receipt
from hansa.kernel.encoding import DECODE_ERRORS, tell_fault
from hansa.kernel.errors import Invalid, InvalidCode, Unavailable
from hansa.kernel.genesis import Network, decode_genesis
from hansa.kernel.transaction import ID_BYTES, check_batch, compute_tx_id, decode_envelope
from hansa.sdk.problems import tell_no_node

HASH_BYTES = 32
SHOWN_MAX = 80

_decode_rows = msgspec.msgpack.Decoder(list[tuple[bytes | None, int, int, str]]).decode


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """What became of one item of a signed batch."""

    receipt: Receipt | None
    height: int
    index: int
    code: str
    """Why there is no receipt; empty if there is one."""


def read_genesis_hash(given: object) -> bytes | None:
    """Read the hash of the network meant; raises `Invalid` where it can be that of none."""
    if given is None:
        return None
    try:
        found = bytes.fromhex(given) if isinstance(given, str) else given
    except ValueError:
        found = b""
    digits = len(given) if isinstance(given, str) else 2 * HASH_BYTES
    if not isinstance(found, bytes) or len(found) != HASH_BYTES or digits != 2 * HASH_BYTES:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"{str(given)[:SHOWN_MAX]!r} is no genesis hash: {HASH_BYTES} bytes, or "
            f"{2 * HASH_BYTES} hexadecimal digits",
        )
    return found


def read_network(genesis: bytes, meant: bytes | None, url: str) -> Network:
    """Read the network of a genesis document that a node sent.

    Raises:
      Unavailable: it is none.
      Invalid: it is of another network than the one meant.
    """
    try:
        network = Network.of(decode_genesis(genesis))
    except Invalid:
        raise tell_no_node(url, "its genesis is none") from None
    if meant not in (None, network.genesis_hash):
        raise Invalid(
            InvalidCode.MALFORMED,
            f"{url} is a node of another network: {network.genesis_hash.hex()}",
        )
    return network


def compute_envelope_id(network: Network, envelope: bytes) -> bytes:
    """Compute the id of the transaction in an envelope; raises `Invalid` if it is none."""
    return compute_tx_id(network, decode_envelope(envelope)[0].body)


def tell_unknown(network: Network | None, envelope: bytes, reason: str) -> Unavailable:
    """Say which transaction it is that may or may not be confirmed.

    Args:
      network: its network; None if it was never asked for, so that nothing was sent.
      envelope: that was sent; raises `Invalid` if it is none.
      reason: why it is not known.
    """
    if network is None:
        return Unavailable(reason)
    tx_id = compute_envelope_id(network, envelope)
    return Unavailable(
        f"{reason}; whether transaction {tx_id.hex()} was confirmed is not known: "
        "ask for it later, or send the same envelope again",
        tx_id=tx_id,
        reason=reason,
    )


def compute_batch_ids(network: Network, batch: bytes) -> list[bytes]:
    """Compute the ids of a batch's transactions, of zeros where an item is none.

    Raises:
      Invalid: it is no batch. Signatures are not looked at: that is for the node.
    """
    verdict = check_batch(batch, network, lambda checks: [True] * len(checks))
    if verdict.rejected is not None:
        raise verdict.rejected
    starts = iter(range(0, len(verdict.ids), ID_BYTES))
    return [
        bytes(HASH_BYTES) if code else verdict.ids[(start := next(starts)) : start + HASH_BYTES]
        for code in verdict.codes
    ]


def check_tx_id(url: str, meant: bytes, told: str) -> None:
    """Check that a node tells of the transaction that is meant.

    Raises:
      Unavailable: it tells of another one; what became of the one meant is not known.
    """
    if told != meant.hex():
        raise Unavailable(
            f"{url} was asked for transaction {meant.hex()} and answers with another transaction: "
            f"{told[:SHOWN_MAX]}; ask a node that you trust",
            tx_id=meant,
        )


@dataclass(slots=True)
class NewestCheckpoint:
    """The newest checkpoint that a node proved; what it proves later is never older."""

    height: int = -1

    def advance(self, url: str, since: int, told: int) -> None:
        """Take note of a checkpoint that was proved.

        Args:
          url: of the node.
          since: the newest when it was asked, since answers to others may overtake this one.
          told: what it proved now.

        Raises:
          Unavailable: it is older; a node that lags behind another under the same address does
            that, too.
        """
        if told < since:
            raise Unavailable(
                f"{url} proves the state as of block {told}, and has proved it as of block {since} "
                "before: it hides what came since, or lags behind; try again later, or ask a node "
                "that you trust"
            )
        self.height = max(self.height, told)


def check_clock(url: str, node_ms: int, own_ms: int, validity_ms: int) -> None:
    """Check that a node's clock is near enough to this machine's to sign by it.

    Whoever keeps a node could otherwise have something signed that stays valid for much longer
    than its signer meant, and send it then.

    Raises:
      Invalid: they differ by more than the time for which the transaction would be valid.
    """
    gap_ms = node_ms - own_ms
    if abs(gap_ms) <= validity_ms:
        return
    code, word = (
        (InvalidCode.TOO_FAR_AHEAD, "ahead of") if gap_ms > 0 else (InvalidCode.EXPIRED, "behind")
    )
    raise Invalid(
        code,
        f"the clock of the node at {url} is {abs(gap_ms) / 1000:.0f} s {word} this machine's, more "
        f"than the {validity_ms / 1000:g} s for which the transaction would be valid, so nothing "
        "was signed: set the wrong clock right. If it is this machine's that cannot be set, "
        "--node-clock goes by the node's (believes_clock in a program)",
    )


def check_height(url: str, due: int, *told: int) -> None:
    """Check that a stream brings the block that is due; raises `Unavailable` if it does not."""
    for height in told:
        if height != due:
            raise Unavailable(
                f"{url} streams block {height} where block {due} is due: take the stream up again "
                f"from {due} on, or ask a node that you trust",
                height=due,
            )


def read_batch_answers(url: str, ids: Sequence[bytes], answer: bytes) -> list[BatchAnswer]:
    """Read what a node answers about a batch with these ids.

    Raises:
      Unavailable: it answers about something else.
    """
    try:
        found = [
            BatchAnswer(None if raw is None else decode_receipt(raw), height, index, code)
            for raw, height, index, code in _decode_rows(answer)
        ]
    except (*DECODE_ERRORS, Invalid) as error:
        told = tell_fault(error)
        raise Unavailable(f"{url} answers the batch with something else: {told}") from None
    if len(found) != len(ids):
        raise Unavailable(f"{url} does not answer each item of the batch")
    for tx_id, item in zip(ids, found, strict=True):
        if item.receipt is not None:
            check_tx_id(url, tx_id, item.receipt.tx_id.hex())
    return found
