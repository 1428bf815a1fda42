"""The clients' side of a replay, run in worker processes: payers and operators sign.

A job is one block's rows; what comes back are its batches, signed, as any member would send them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

from hansa.contracts import currency, payments, wallets
from hansa.kernel.contract import Command
from hansa.kernel.genesis import BATCH_FRAME_BYTES, Limits, Network, decode_genesis
from hansa.node.replay.cast import OPERATORS, Cast, derive_wallet_key, make_cast
from hansa.node.replay.source import Payments
from hansa.sdk.build import NONCE_BYTES, sign_batch, sign_transaction
from hansa.sdk.keys import KeyPair

VALIDITY_MS = 60_000
CALLS_MAX = 16
REFERENCE_MAX = 35
"""Letters of an end-to-end id."""
ITEM_FRAME_BYTES = 16
"""Of an item of a batch around its envelope, at most."""


class NewWallet(NamedTuple):
    """A wallet to be opened before its first payment."""

    side: str
    name: str
    category: int
    funding_minor: int


class Job(NamedTuple):
    """What one block is made of."""

    time_ms: int
    asset: str
    fingerprint: bytes
    issue_minor: int
    """Money to be issued to each operator in this block; 0 but for the first."""
    opened: Sequence[NewWallet]
    rows: Payments


def choose_operator(name: str) -> int:
    """Choose the operator of a party: spread by a hash of its name."""
    return hashlib.sha256(name.encode()).digest()[0] % len(OPERATORS)


def build_nonce(row: int, fingerprint: bytes) -> bytes:
    """Build the nonce of a row: its number and the file's fingerprint, so a replay can resume."""
    return row.to_bytes(8, "big") + fingerprint


Item = tuple[bytes, None]
"""An envelope, and that there is no attestation."""


def cut_batches(items: Sequence[Item], limits: Limits) -> Iterator[list[Item]]:
    """Cut items into batches that a network accepts."""
    part: list[Item] = []
    size = BATCH_FRAME_BYTES
    for item in items:
        item_bytes = len(item[0]) + ITEM_FRAME_BYTES
        if part and (len(part) == limits.batch_items or size + item_bytes > limits.batch_bytes):
            yield part
            part, size = [], BATCH_FRAME_BYTES
        part.append(item)
        size += item_bytes
    if part:
        yield part


def name_funding(name: str) -> str:
    """Build the reference of a payer's funding; a long name stands there as its hash."""
    reference = f"fund-{name}"
    if len(reference) <= REFERENCE_MAX:
        return reference
    return f"fund-{hashlib.sha256(name.encode()).hexdigest()[:24]}"


def sign_job(genesis: bytes, job: Job) -> list[tuple[bytes, bool]]:
    """Sign everything a block holds; returns (batch, whether its items are the file's rows)."""
    worker = _worker_for(genesis)
    batches = [(raw, False) for raw in worker.sign_openings(job)]
    return batches + [(raw, True) for raw in worker.sign_payments(job)]


class _Worker:
    """The keys and the network of one worker process."""

    def __init__(self, genesis: bytes) -> None:
        self._network = Network.of(decode_genesis(genesis))
        self._cast: Cast = make_cast()

    def sign_payments(self, job: Job) -> list[bytes]:
        """Sign the rows, each by its payer, in batches of the payers' operators."""
        items: list[list[Item]] = [[] for _ in OPERATORS]
        until = job.time_ms + VALIDITY_MS
        columns = job.rows.columns
        names = ("id", "payer", "payee", "amount_minor")
        rows = zip(*(columns.column(name).to_pylist() for name in names), strict=True)
        for number, (reference, payer_name, payee_name, amount_minor) in enumerate(
            rows, job.rows.first
        ):
            payer = derive_wallet_key("payer", payer_name)
            payee = derive_wallet_key("payee", payee_name)
            command = payments.Transfer(
                payer.address, payee.address, job.asset, amount_minor, reference
            )
            nonce = build_nonce(number, job.fingerprint)
            signed = sign_transaction(
                self._network, (payer,), (command,), until, partial(_fixed, nonce)
            )
            items[choose_operator(payer_name)].append((signed.envelope, None))
        return [
            self._sign_batch(number, part)
            for number, whole in enumerate(items)
            for part in cut_batches(whole, self._network.limits)
        ]

    def sign_openings(self, job: Job) -> list[bytes]:
        """Sign what comes before the payments: issue, opening of wallets, funding."""
        batches = []
        if job.issue_minor:
            commands: list[Command] = []
            for operator in self._cast.operators:
                commands += [
                    currency.SetQuota(operator.address, job.asset, job.issue_minor),
                    currency.Issue(operator.address, job.asset, job.issue_minor),
                ]
            envelope = self._sign_calls(self._cast.officers[:2], commands, job)
            bank = self._cast.officers[0].address
            batches.append(
                sign_batch(self._network, bank, self._cast.bank_server, [(envelope, None)])
            )
        groups: list[list[Command]] = [[] for _ in OPERATORS]
        for wallet in job.opened:
            self._add_opening(groups, wallet, job.asset)
        for number, commands in enumerate(groups):
            key = (self._cast.operators[number],)
            envelopes = [
                (self._sign_calls(key, commands[at : at + CALLS_MAX], job), None)
                for at in range(0, len(commands), CALLS_MAX)
            ]
            if envelopes:
                batches.append(self._sign_batch(number, envelopes))
        return batches

    def _add_opening(self, groups: list[list[Command]], new: NewWallet, asset: str) -> None:
        number = choose_operator(new.name)
        operator = self._cast.operators[number].address
        wallet = derive_wallet_key(new.side, new.name).address
        groups[number].append(wallets.Open(wallet, operator, wallets.Category(new.category)))
        if new.funding_minor:
            groups[number].append(
                payments.CashIn(operator, wallet, asset, new.funding_minor, name_funding(new.name))
            )

    def _sign_calls(self, keys: Sequence[KeyPair], commands: Sequence[Command], job: Job) -> bytes:
        """Sign calls of an institution; the nonce follows from what is signed."""
        seed = b"".join(repr(command).encode() for command in commands)
        nonce = hashlib.sha256(seed).digest()[:NONCE_BYTES]
        until = job.time_ms + VALIDITY_MS
        return sign_transaction(
            self._network, keys, commands, until, partial(_fixed, nonce)
        ).envelope

    def _sign_batch(self, number: int, items: Sequence[Item]) -> bytes:
        cast = self._cast
        return sign_batch(
            self._network, cast.operators[number].address, cast.operator_servers[number], items
        )


def _fixed(nonce: bytes, _: int) -> bytes:
    return nonce


_workers: dict[bytes, _Worker] = {}


def _worker_for(genesis: bytes) -> _Worker:
    """Get this process's worker; one replay, one genesis."""
    if genesis not in _workers:
        _workers[genesis] = _Worker(genesis)
    return _workers[genesis]
