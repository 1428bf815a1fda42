"""A small harness: contract functions over a dict, with signers and a clock set by the test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
import pytest
from tests import reached

from hansa.kernel.authority import ALL_PURPOSES, AccountKey
from hansa.kernel.contract import Command, Event
from hansa.kernel.crypto.hashing import ZERO_HASH, crypto_profile
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Refused
from hansa.kernel.genesis import (
    GENESIS_VERSION,
    Genesis,
    GenesisAsset,
    GenesisContract,
    GenesisMember,
    GenesisNode,
    GenesisPolicy,
    Limits,
    Sealer,
)
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import State, View
from hansa.kernel.rows import KeyPart, Row, decode_row

START_MS = 1_700_000_000_000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

R = TypeVar("R", bound=Row)


def make_address(name: str) -> bytes:
    """Make the address that a test calls by `name`."""
    return crypto_profile("sha256").digest(b"test address\x00" + name.encode())


def make_key(name: str, purposes: int = ALL_PURPOSES, **fields: int) -> AccountKey:
    """Make an account's key; `weight` and `limit_minor` may be given."""
    return AccountKey(make_address(name), int(purposes), **fields)


def make_member(
    name: str,
    *roles: str,
    weight: int = 0,
    keys: Sequence[AccountKey] = (),
    threshold: int = 1,
) -> GenesisMember:
    """Make a member of genesis, governed by the key of its own name unless `keys` are given."""
    keys = tuple(keys) or (make_key(name),)
    return GenesisMember(make_address(name), name, roles, weight, keys, threshold)


def make_genesis(
    members: Sequence[GenesisMember] = (),
    *,
    policy: dict[str, tuple[int, ...]] | None = None,
    assets: Sequence[GenesisAsset] = (),
    contracts: Sequence[GenesisContract] = (),
    nodes: Sequence[GenesisNode] = (),
) -> Genesis:
    """Make a genesis document that starts at `START_MS`."""
    values = tuple(GenesisPolicy(key, item) for key, item in (policy or {}).items())
    return Genesis(
        version=GENESIS_VERSION,
        network="test",
        time_ms=START_MS,
        hash="sha256",
        suites=(1, 2, 3),
        limits=Limits(),
        sealers=() if nodes else (Sealer(1, bytes(32)),),
        members=tuple(members),
        assets=tuple(assets),
        policy=values,
        contracts=tuple(contracts),
        nodes=tuple(nodes),
    )


class Harness:
    """State over a dict and a clock; every accepted command is committed as its own block."""

    def __init__(
        self, genesis: Genesis | None = None, *installs: Callable[[View, Genesis], None]
    ) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.state = State(self.rows)
        self.view = View(self.state, 4_096, 1_024)
        self.time_ms = START_MS
        self.height = 1
        self.events: list[Event] = []
        self.genesis_hash = ZERO_HASH if genesis is None else genesis.compute_hash()
        if genesis is not None:
            for install in installs:
                install(self.view, genesis)
            self._commit()

    def context(
        self,
        *signers: str | bytes,
        sponsor: str | bytes = "sponsor",
        attestation: bytes | None = None,
        earlier_events: Sequence[Event] = (),
    ) -> Context:
        """Build the context of a transaction signed by these keys, at the harness's time."""
        context = Context(
            self.view,
            genesis_hash=self.genesis_hash,
            digest=crypto_profile("sha256").digest,
            height=self.height,
            time_ms=self.time_ms,
            position=self.height << 20,
            tx_id=crypto_profile("sha256").digest(b"tx" + self.height.to_bytes(8, "big")),
            signers=tuple(_address(signer) for signer in signers),
            sponsor=_address(sponsor),
            attestation=attestation,
        )
        context.earlier_events = list(earlier_events)
        return context

    def do(
        self,
        function: Callable[[View, Context, Any], Sequence[Event]],
        command: Command,
        *signers: str | bytes,
        **context: Any,
    ) -> list[Event]:
        """Execute a command that must succeed, commit it and return its events.

        It is executed twice on the same state: same inputs, same writes and events.
        """
        check_travels(command)
        done = []
        for _ in range(2):
            self.view.begin()
            events = list(function(self.view, self.context(*signers, **context), command))
            written = [
                (row_id[0].__name__, row_id[1:], row) for row_id, row in self.view.writes.items()
            ]
            done.append((encode(written), encode(events), events))
        assert done[0][:2] == done[1][:2], f"{command} does not always do the same"
        reached.COMMANDS.add(type(command))
        events = done[1][2]
        self.events += events
        self._commit()
        return events

    def refuse(
        self,
        function: Callable[[View, Context, Any], Sequence[Event]],
        command: Command,
        *signers: str | bytes,
        **context: Any,
    ) -> str:
        """Execute a command that must be refused before its first write; returns the code."""
        check_travels(command)
        self.view.begin()
        with pytest.raises(Refused) as refusal:
            function(self.view, self.context(*signers, **context), command)
        assert self.view.writes == {}, f"{refusal.value.code} came after a write"
        reached.CODES.add(refusal.value.code.value)
        self.facts = refusal.value.facts
        return str(refusal.value.code.value)

    def attempt(
        self,
        function: Callable[[View, Context, Any], Sequence[Event]],
        command: Command,
        *signers: str | bytes,
        **context: Any,
    ) -> str:
        """Execute a command as `do` or `refuse` would; returns the code, empty if it was done."""
        self.view.begin()
        try:
            function(self.view, self.context(*signers, **context), command)
        except Refused:
            return self.refuse(function, command, *signers, **context)
        self.do(function, command, *signers, **context)
        return ""

    def get(self, row_type: type[R], *key: KeyPart) -> R | None:
        """Get a committed row."""
        self.view.begin()
        return self.view.get(row_type, *key)

    def pass_time(self, duration_ms: int) -> None:
        """Let ledger time go on."""
        self.time_ms += duration_ms

    def _commit(self) -> None:
        """Commit through bytes; every row that is written comes back from its own."""
        for row in self.view.writes.values():
            assert row is None or decode_row(type(row), encode(row)) == row
        self.view.commit()
        writes = self.state.list_writes()
        self.state.end_block(writes)
        for key, raw in writes:
            if raw is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = raw
        self.state.end_checkpoint()
        self.state = State(self.rows)
        self.view = View(self.state, 4_096, 1_024)
        self.height += 1


def check_travels(command: Command | bytes) -> None:
    """Check that a command comes back from its encoding, and that it is the only one."""
    if isinstance(command, Command):
        raw = encode(command)
        assert encode(msgspec.msgpack.decode(raw, type=type(command))) == raw


def _address(signer: str | bytes) -> bytes:
    return make_address(signer) if isinstance(signer, str) else signer
