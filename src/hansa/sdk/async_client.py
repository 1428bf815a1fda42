"""The asynchronous client of a node's HTTP API.

async with AsyncClient("http://127.0.0.1:8460") as client:
    answer = await client.send([key], [payments.Transfer(...)])
    answer.require_ok()
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import msgspec

from hansa.kernel.contract import Command
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import HansaError, Invalid, InvalidCode, NotFound, Unavailable
from hansa.kernel.genesis import Network
from hansa.kernel.light.votes import VOTES_BYTES_MAX
from hansa.kernel.receipt_file import FILE_BYTES_MAX, VerifiedReceipt, verify_receipt_file
from hansa.kernel.rows import Row
from hansa.kernel.transaction import decode_envelope
from hansa.sdk import answers
from hansa.sdk.answers import TransactionResult, read
from hansa.sdk.build import VALIDITY_MS, SignedTransaction, build_item, sign_transaction
from hansa.sdk.checks import (
    BatchAnswer,
    NewestCheckpoint,
    check_clock,
    check_height,
    check_tx_id,
    compute_batch_ids,
    compute_envelope_id,
    read_batch_answers,
    read_genesis_hash,
    read_network,
    tell_unknown,
)
from hansa.sdk.consensus import Consensus
from hansa.sdk.identity.client import AsyncIdentity
from hansa.sdk.keys import KeyPair
from hansa.sdk.messages import AsyncMessages
from hansa.sdk.problems import read_item_problem, tell_no_node
from hansa.sdk.proofs import ProvenRow, build_path, find_table, verify_row_proof
from hansa.sdk.reconciliation.client import AsyncReconciliation
from hansa.sdk.reconciliation.pairs import AsyncPairs
from hansa.sdk.risk.client import AsyncRisk
from hansa.sdk.streams.events import iterate_events
from hansa.sdk.streams.frames import iterate_base, iterate_frames
from hansa.sdk.streams.parts import Parts
from hansa.sdk.transport import TlsFiles, Transport

ACCEPTED: Final = 202
PENDING: Final = "PENDING"
GENESIS_BYTES_MAX = 1 << 24
BATCH_ANSWER_BYTES_MAX = 1 << 26
ATTEMPTS = 4
FIRST_WAIT_S = 0.2
POLL_FIRST_S = 0.05
POLL_LAST_S = 1.0
WAIT_S = 30.0
GRACE_S = 15.0
CLOCK_KEPT_S = 20.0
"""How long the node's clock is taken to run with ours before it is asked again."""

V = TypeVar("V")
T = TypeVar("T", bound=msgspec.Struct)


class AsyncClient:
    """Talks to one node; use as an asynchronous context manager, or call `close`.

    Args:
      url: of the node, without a path.
      genesis_hash: of the network meant, 32 bytes or 64 hexadecimal digits; a node of another
        one is refused. Without it the first answer is believed.
      api_key: what the node's operator handed out, for what not everybody may read.
      tls: certificates, for https.
      attempts: how often a transaction is sent while the node is unavailable; always the same
        bytes, so that it counts once.
      believes_clock: sign by the node's clock however far it is from this machine's; otherwise
        nothing is signed where they differ by more than the validity.

    Raises:
      Invalid: the URL is none, or the genesis hash.
    """

    wait_s = WAIT_S
    """How long a receipt is waited for that a node has not had at once."""
    grace_s = GRACE_S
    """How much longer than a transaction is valid its answer is waited for, with all attempts."""

    def __init__(
        self,
        url: str,
        genesis_hash: bytes | str | None = None,
        *,
        api_key: str | None = None,
        tls: TlsFiles | None = None,
        attempts: int = ATTEMPTS,
        believes_clock: bool = False,
    ) -> None:
        self._transport = Transport(url, api_key, tls)
        self._genesis_hash = read_genesis_hash(genesis_hash)
        self._attempts = attempts
        self._network: Network | None = None
        self._clock: tuple[float, int] | None = None
        self._believes_clock = believes_clock
        self._proven = NewestCheckpoint()
        self.messages = AsyncMessages(self._transport, self._check_network, self._repeat)
        self.identity = AsyncIdentity(self._transport, self.get_network, self._proven)
        self.reconciliation = AsyncReconciliation(
            self._transport, self.get_network, self._proven, self._check_network
        )
        self.risk = AsyncRisk(
            self._transport, self.get_network, self._proven, self._check_network, self._repeat
        )
        self.pairs = AsyncPairs(self._transport, self._check_network, self._repeat)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; the next request opens new ones."""
        await self._transport.close()

    # --- reading ---------------------------------------------------------------------------------

    async def get_network(self) -> Network:
        """Get the network, for which everything is signed; asked for once.

        Raises:
          Invalid: the node is of another network than the one meant.
        """
        if self._network is None:
            url = self._transport.url
            try:
                raw = await self._transport.get_bytes("/v1/genesis", GENESIS_BYTES_MAX)
            except NotFound as error:
                if "status" not in error.facts:  # a file of ours, which no node has told of
                    raise
                raise tell_no_node(url, f"it has no genesis, and says {error.message}") from None
            self._network = read_network(raw, self._genesis_hash, url)
        return self._network

    async def get_status(self) -> answers.Status:
        """Get the node's head: height, ledger time, state root."""
        found = read(answers.Status, await self._get("/v1/status"), self._transport.url)
        self._clock = (time.monotonic(), max(found.time_ms, found.clock_ms))
        return found

    async def get_consensus(self) -> Consensus:
        """Get how the network comes to a block, as the node sees it: validators, peers, a stall."""
        path = "/v1/consensus"
        return read(Consensus, await self._get(path), self._transport.url)

    async def get_block(self, height: int) -> answers.Block:
        """Get a block's header and the ids of its transactions."""
        return read(answers.Block, await self._get(f"/v1/blocks/{height}"), self._transport.url)

    async def get_wallet(self, address: bytes) -> answers.Wallet:
        """Get a wallet with its balances."""
        found = await self._get(f"/v1/wallets/{to_text(address)}")
        return read(answers.Wallet, found, self._transport.url)

    async def get_transaction(self, tx_id: bytes) -> answers.Transaction:
        """Get a transaction with its receipt, as the node tells it; `get_receipt` has the proof.

        Raises:
          Unavailable: the node tells of another transaction.
        """
        raw = await self._get(f"/v1/transactions/{tx_id.hex()}")
        found = read(answers.Transaction, raw, self._transport.url)
        check_tx_id(self._transport.url, tx_id, found.tx_id)
        return found

    async def list_members(self) -> list[answers.Member]:
        """List the institutions of the network."""
        return await self._list(answers.Member, "/v1/members", "members")

    async def list_assets(self) -> list[answers.Asset]:
        """List the money of the network, with what is issued of it."""
        return await self._list(answers.Asset, "/v1/assets", "assets")

    async def list_policy(self) -> list[answers.PolicyValue]:
        """List all policy, with what is to come."""
        return await self._list(answers.PolicyValue, "/v1/policy", "policy")

    async def list_proposals(self) -> list[answers.Proposal]:
        """List the newest proposals, newest first."""
        return await self._list(answers.Proposal, "/v1/proposals", "proposals")

    async def get_proposal(self, number: int) -> answers.Proposal:
        """Get a proposal with its votes."""
        found = await self._get(f"/v1/proposals/{number}")
        return read(answers.Proposal, found, self._transport.url)

    async def get(self, path: str) -> dict[str, Any]:
        """Get the JSON of any path, such as `/v1/policy`, for what has no method here."""
        return await self._get(path)

    # --- sending ---------------------------------------------------------------------------------

    async def get_valid_until(self, validity_ms: int = VALIDITY_MS) -> int:
        """Get a moment of ledger time so much ahead, by the node's clock.

        Raises:
          Invalid: it differs from this machine's clock by more than that.
        """
        if self._clock is None or time.monotonic() - self._clock[0] > CLOCK_KEPT_S:
            await self.get_status()
        node_ms = self._estimate_clock_ms()
        if not self._believes_clock:
            check_clock(self._transport.url, node_ms, time.time_ns() // 1_000_000, validity_ms)
        return node_ms + validity_ms

    async def sign(
        self, keys: Sequence[KeyPair], commands: Sequence[Command], validity_ms: int = VALIDITY_MS
    ) -> SignedTransaction:
        """Build and sign a transaction for this node's network."""
        network = await self.get_network()
        return sign_transaction(network, keys, commands, await self.get_valid_until(validity_ms))

    async def send(
        self, keys: Sequence[KeyPair], commands: Sequence[Command], validity_ms: int = VALIDITY_MS
    ) -> TransactionResult:
        """Sign and send a transaction; returns once it is confirmed, or was refused.

        Raises:
          Invalid: the node says that the transaction itself is wrong, or its clock is too far from
            this machine's.
          Unavailable: the node cannot be reached or is busy; see `submit`.
        """
        return await self.submit((await self.sign(keys, commands, validity_ms)).envelope)

    async def submit(
        self, envelope: bytes, attestation: bytes | None = None, device: str = ""
    ) -> TransactionResult:
        """Send an envelope; returns once it is confirmed, or was refused by a rule.

        While the node is unavailable the same bytes are sent again: they count once, and are
        answered with their first receipt. It ends soon after the transaction's validity. `device`
        names, to the operator's risk control, what it was signed on; 200 characters at most.

        Raises:
          Invalid: the node says of the first attempt that the transaction itself is wrong.
          Unavailable: after all attempts, also where the node answers with another transaction;
            whether it was confirmed is not known then, unless a fact `code` says why it was not
            ordered. `tx_id` is what to ask for, `reason` why; sending the same again is safe.
        """
        begun_s = time.monotonic()
        rest_ms = decode_envelope(envelope)[1].valid_until_ms - self._estimate_clock_ms()
        try:
            async with asyncio.timeout(max(rest_ms, 0) / 1000 + self.grace_s):
                item = build_item(envelope, attestation, device)
                return await self._repeat(lambda: self._submit_once(envelope, item))
        except TimeoutError:
            reason = None
        except HansaError as error:
            is_told = "code" in error.facts or not isinstance(error, Unavailable)
            if is_told and "tries" not in error.facts:
                raise
            reason = None if "waited_s" in error.facts else error.message
        waited_s = time.monotonic() - begun_s
        reason = reason or f"there is no receipt after {waited_s:.1f} s"
        raise tell_unknown(self._network, envelope, reason)

    async def submit_many(self, envelopes: Sequence[bytes]) -> list[TransactionResult | HansaError]:
        """Send many envelopes; one answer or error each, in the same order.

        Those of one signer keep their order. An item whose error is `Unavailable` may be sent
        again, as may all of them; with a fact `tx_id` whether it was confirmed is not known. What
        is too much for the node at once goes there in parts.

        Raises:
          Unavailable: the node cannot be reached, after all attempts.
        """
        network = await self._repeat(self.get_network)
        parts = Parts(self._transport.url, network, self._post_again, self._take_result)
        return await parts.submit(envelopes)

    async def submit_batch(self, batch: bytes) -> list[BatchAnswer]:
        """Send a batch that its sponsor signed; one answer an item.

        Raises:
          Invalid: the batch itself is wrong.
          Unavailable: the node cannot be reached, or answers about other transactions; sending the
            same batch again is safe.
        """
        ids = compute_batch_ids(await self.get_network(), batch)
        status, answer = await self._transport.post_bytes(
            "/v1/transactions", batch, BATCH_ANSWER_BYTES_MAX
        )
        if status == ACCEPTED:
            raise Unavailable(
                f"{self._transport.url} took the batch and has no receipts yet: send it again, or "
                "ask for its transactions"
            )
        return read_batch_answers(self._transport.url, ids, answer)

    async def wait_for(self, tx_id: bytes, timeout_s: float = WAIT_S) -> answers.Transaction:
        """Wait until a transaction is confirmed or refused.

        Raises:
          Unavailable: it was not in time; it may still be.
        """
        pause_s = POLL_FIRST_S
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    try:
                        return await self.get_transaction(tx_id)
                    except NotFound:
                        await asyncio.sleep(pause_s)
                        pause_s = min(2 * pause_s, POLL_LAST_S)
        except TimeoutError:
            raise Unavailable(
                f"transaction {tx_id.hex()} has no receipt after {timeout_s:g} s",
                tx_id=tx_id,
                waited_s=int(timeout_s),
            ) from None

    # --- proofs and streams ----------------------------------------------------------------------

    async def fetch_receipt(self, tx_id: bytes) -> bytes:
        """Fetch a transaction's receipt file, as it is verified offline."""
        await self._check_network()
        return await self._transport.get_bytes(f"/v1/receipts/{tx_id.hex()}", FILE_BYTES_MAX)

    async def fetch_votes(self, height: int) -> bytes:
        """Fetch the votes of validators on a block: `hansa.kernel.light.votes` checks them."""
        await self._check_network()
        return await self._transport.get_bytes(f"/v1/blocks/{height}/votes", VOTES_BYTES_MAX)

    async def get_receipt(self, tx_id: bytes) -> VerifiedReceipt:
        """Fetch a transaction's receipt file and verify it, for the network meant.

        Raises:
          Invalid: the node's answer proves nothing, or something else.
        """
        network = await self.get_network()
        found = verify_receipt_file(await self.fetch_receipt(tx_id), network.genesis_hash)
        if found.tx_id != tx_id:
            raise Invalid(
                InvalidCode.MALFORMED,
                f"{self._transport.url} answers with the receipt of {found.tx_id.hex()}",
            )
        return found

    async def prove_row(self, table: str, *key: bytes | str) -> ProvenRow[Row]:
        """Get a row of the state with its proof, and verify it, as of the last checkpoint.

        A proof shows what was, not that nothing was since: a client never goes back behind the
        newest checkpoint that was proved to it.

        Args:
          table: `balances`, `wallets`, `vaults`, `members`, `assets` or `policy`.
          key: address (bytes) or name of the row; of balances and vaults the asset, too.

        Raises:
          Invalid: there is no such table, or the node's answer proves nothing.
          Refused: the caller may not read this row.
          Unavailable: the node proves it as of an older checkpoint than it has shown before.
        """
        kind = find_table(table, key)
        network = await self.get_network()
        newest = self._proven.height
        found = verify_row_proof(network, kind, key, await self._get(build_path(table, key)))
        self._proven.advance(self._transport.url, newest, found.header.height)
        return found

    async def stream_blocks(
        self, from_height: int | None = None
    ) -> AsyncIterator[answers.BlockEvent]:
        """Stream confirmed blocks from a height (the newest if not given), without an end.

        Each has the transactions that the caller may read. A lost connection is taken up again
        behind the last block that came.

        Raises:
          Unavailable: the node stays away, or leaves a block out or sends one again.
        """
        await self._check_network()
        due = from_height
        async for height, data in iterate_events(self._transport, from_height):
            head = read(answers.BlockEvent, data, self._transport.url)
            check_height(self._transport.url, height if due is None else due, height, head.height)
            yield head
            due = height + 1

    async def stream_records(
        self, from_height: int = 0, to_height: int | None = None
    ) -> AsyncIterator[bytes]:
        """Stream encoded block records, one at a time in memory; needs the right to whole blocks.

        Raises:
          Refused: the caller may not read whole blocks.
          Unavailable: the stream ended before its end.
        """
        await self._check_network()
        last = (await self.get_status()).height if to_height is None else to_height
        async for raw in iterate_frames(self._transport, from_height, last):
            yield raw

    async def stream_base(self) -> AsyncIterator[bytes]:
        """Stream the snapshot that a node's blocks begin with; `NotFound` if it keeps them all."""
        await self._check_network()
        async for raw in iterate_base(self._transport):
            yield raw

    # --- within ----------------------------------------------------------------------------------

    async def _check_network(self) -> None:
        """Refuse a node of another network than the one meant, before anything it says is used."""
        if self._genesis_hash is not None:
            await self.get_network()

    async def _get(self, path: str) -> dict[str, Any]:
        await self._check_network()
        return await self._transport.get_json(path)

    async def _list(self, kind: type[T], path: str, name: str) -> list[T]:
        found = (await self._get(path)).get(name)
        if not isinstance(found, list):
            raise Unavailable(f"{self._transport.url}{path} answers without {name}")
        return [read(kind, item, self._transport.url) for item in found]

    async def _post(self, body: object) -> dict[str, Any]:
        await self._check_network()
        _, found = await self._transport.post("/v1/transactions", body)
        return found

    async def _repeat(self, call: Callable[[], Awaitable[V]]) -> V:
        """Call until the node is available, as often as the caller of this client wants."""
        wait_s, tries = FIRST_WAIT_S, 0
        while True:
            try:
                return await call()
            except HansaError as error:
                if tries:  # an earlier one may have brought it in, whatever is said of this one
                    error.facts["tries"] = tries + 1
                lasts = not isinstance(error, Unavailable) or {"waited_s", "code"} & {*error.facts}
                if lasts or tries + 1 >= self._attempts:
                    raise
                told = error.facts.get("retry_after_s")
                await asyncio.sleep(wait_s if told is None else float(told))
                wait_s, tries = 2 * wait_s, tries + 1

    async def _post_again(self, body: object) -> tuple[dict[str, Any], bool]:
        """Post until the node is available; says whether more than one try may have come there."""
        tries = 0

        async def post() -> dict[str, Any]:
            nonlocal tries
            tries += 1
            return await self._post(body)

        return await self._repeat(post), tries > 1

    async def _submit_once(self, envelope: bytes, item: dict[str, str]) -> TransactionResult:
        tx_id = compute_envelope_id(await self.get_network(), envelope)
        return await self._await_pending(tx_id, await self._post(item))

    async def _take_result(
        self, network: Network, envelope: bytes, result: object
    ) -> TransactionResult | HansaError:
        """Read what became of one of many; an error of its own does not end the others."""
        try:
            if isinstance(result, dict) and isinstance(result.get("error"), dict):
                return read_item_problem(result["error"])
            return await self._await_pending(compute_envelope_id(network, envelope), result)
        except (Invalid, Unavailable) as error:
            return error

    async def _await_pending(self, tx_id: bytes, told: object) -> TransactionResult:
        """Read the answer about a transaction; waits for a receipt where there is none yet."""
        answer = read(TransactionResult, told, self._transport.url)
        check_tx_id(self._transport.url, tx_id, answer.tx_id)
        if answer.status != PENDING:
            return answer
        return (await self.wait_for(tx_id, self.wait_s)).result

    def _estimate_clock_ms(self) -> int:
        """Estimate the node's clock; this machine's where it was not asked for."""
        if self._clock is None:
            return time.time_ns() // 1_000_000
        asked, clock_ms = self._clock
        return clock_ms + int((time.monotonic() - asked) * 1000)
