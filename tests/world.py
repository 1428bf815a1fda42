"""A small network in memory or in a folder, for tests that run whole transactions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from tests import reached

from hansa.contracts import currency, payments, wallets
from hansa.contracts.registry import Registry
from hansa.engine.chain import Chain
from hansa.engine.log import SEGMENT_BYTES, BlockLog
from hansa.engine.storage import Storage
from hansa.engine.store import MemoryStore, Store
from hansa.kernel.block import Receipt, Repeated, decode_receipt
from hansa.kernel.contract import Command
from hansa.kernel.crypto.signatures import verify_many
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Invalid
from hansa.kernel.genesis import Genesis, Network
from hansa.kernel.machine.execution import BlockResult
from hansa.kernel.rows import Row, decode_row
from hansa.kernel.transaction import build_checked, check_batch
from hansa.node.founding import DEFAULT_POLICY, MemberSpec, build_genesis
from hansa.node.home import KeySealer
from hansa.sdk.build import NamedCall, name_call, sign_batch, sign_transaction
from hansa.sdk.keys import KeyPair

START_MS = 1_700_000_000_000
MINUTE_MS = 60_000
ASSET = "MOP"
OPERATORS = ("north", "south")


@cache
def key(name: str, suite: int = 1) -> KeyPair:
    """Derive the key that tests call by `name`."""
    return KeyPair.from_seed(hashlib.sha256(b"world\x00" + name.encode()).digest(), suite)


def make_genesis(policy: dict[str, tuple[int, ...]] | None = None, name: str = "test") -> Genesis:
    """Make a network: a central bank (2 of 3 officers), two operators, a regulator."""
    officers = tuple(key(f"officer{number}").address for number in range(3))
    members = [MemberSpec("Bank", ("central_bank",), officers, key("bank server").address, 2, 1)]
    members += [
        MemberSpec(each, ("operator",), (key(each).address,), key(f"{each} server").address)
        for each in OPERATORS
    ]
    regulator = (key("regulator").address,)
    members.append(MemberSpec("Regulator", ("regulator",), regulator, key("rs").address))
    values = {**DEFAULT_POLICY, **(policy or {})}
    return build_genesis(name, START_MS, members, sealer=key("sealer"), policy=values)


@dataclass
class World:
    """A chain and a clock; everything signed is really signed and verified."""

    chain: Chain
    time_ms: int = START_MS + 1000
    nonces: int = 0
    results: list[BlockResult] = field(default_factory=list)

    @property
    def network(self) -> Network:
        """The network."""
        return self.chain.network

    def sign(
        self, keys: Sequence[KeyPair], *commands: Command | NamedCall, until_ms: int = 0
    ) -> bytes:
        """Sign a transaction; nonces count upwards."""
        self.nonces += 1
        nonce = self.nonces.to_bytes(16, "big")
        until = until_ms or self.time_ms + MINUTE_MS
        return sign_transaction(self.network, keys, commands, until, lambda _: nonce).envelope

    def batch(self, *envelopes: bytes, sponsor: str = "north", key_name: str = "") -> bytes:
        """Sign a batch without attestations."""
        signer = key(key_name or f"{sponsor} server")
        items = [(envelope, None) for envelope in envelopes]
        return sign_batch(self.network, key(sponsor).address, signer, items)

    def apply(self, *batches: bytes) -> BlockResult:
        """Check, execute, log and sync one block."""
        checked = [
            build_checked(raw, check_batch(raw, self.network, verify_many), self.network)
            for raw in batches
        ]
        *_, result = self.chain.execute_stepwise(self.time_ms, checked)
        self.chain.append(result, checked)
        self.chain.sync()
        check_rows(result.committed or {})
        self.results.append(result)
        return result

    def send(self, *envelopes: bytes) -> list[Receipt | Invalid | Repeated]:
        """Put envelopes into one block; returns what became of each."""
        result = self.apply(self.batch(*envelopes))
        return [
            decode_receipt(result.receipts[outcome]) if isinstance(outcome, int) else outcome
            for outcome in result.outcomes[0]
        ]

    def do(self, names: str | Sequence[str], *commands: Command | NamedCall) -> str:
        """Send one transaction of the named signers; returns its code, empty if ok."""
        signers = [names] if isinstance(names, str) else names
        answer = self.send(self.sign([key(name) for name in signers], *commands))[0]
        if answer.code:
            reached.CODES.add(answer.code)
        else:
            reached.COMMANDS.update(type(name_call(command)[2]) for command in commands)
        return answer.code

    def fund(self, *names: str, amount_minor: int = 100_000, category: int = 1) -> None:
        """Open wallets at `north` and fund them, issuing the money first."""
        total = amount_minor * len(names)
        north = key("north").address
        code = self.do(
            ("officer0", "officer1"),
            currency.SetQuota(north, ASSET, 10**12),
            currency.Issue(north, ASSET, total),
        )
        assert code == ""
        for name in names:
            wallet = key(name).address
            commands = [
                wallets.Open(wallet, north, wallets.Category(category)),
                payments.CashIn(north, wallet, ASSET, amount_minor, f"in-{name}-{self.nonces}"),
            ]
            assert self.do("north", *commands) == ""

    def balance(self, name: str) -> tuple[int, int]:
        """Read a wallet's free and held money, as of the newest block."""
        from hansa.contracts.balances import Balance  # noqa: PLC0415 - only here

        row = self.chain.machine.state.load(Balance, Balance.key(key(name).address, ASSET))
        return (row.available_minor, row.held_minor) if row else (0, 0)


def check_rows(committed: Mapping[bytes, bytes | None]) -> None:
    """Check that rows which a checkpoint commits are what their own tables accept."""
    rows = [each for each in Row.__subclasses__() if each.__module__.startswith("hansa.")]
    tables = {each.TABLE: each for each in rows}
    for packed, raw in committed.items():
        row_type = tables.get(packed[:2])
        if raw is not None and row_type is not None:
            assert encode(decode_row(row_type, raw)) == raw


def open_world(
    storage: Storage,
    genesis: Genesis,
    store: Store | None = None,
    segment_bytes: int = SEGMENT_BYTES,
) -> World:
    """Open a world over a storage, begun or gone on with."""
    chain = Chain.open(
        BlockLog.open(storage, segment_bytes=segment_bytes),
        store or MemoryStore(),
        Network.of(genesis),
        Registry(genesis),
        KeySealer(key("sealer")),
    )
    world = World(chain)
    world.time_ms = max(world.time_ms, chain.head.time_ms + 1000)
    return world


def pay(
    payer: str, payee: str, amount_minor: int, reference: str, asset: str = ASSET
) -> payments.Transfer:
    """Make a transfer command."""
    return payments.Transfer(key(payer).address, key(payee).address, asset, amount_minor, reference)
