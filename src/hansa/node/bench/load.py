"""The load of the benchmarks: a bank, an operator, wallets, and transfers signed beforehand.

Everything is derived from names and numbers, so that processes can sign parts of it side by side.
"""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterator
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Self

from hansa.contracts import currency, payments, wallets
from hansa.contracts.policy import ATTESTATION_FROM
from hansa.engine.workers import start_workers
from hansa.kernel.contract import Command
from hansa.kernel.genesis import Genesis, Network, decode_genesis
from hansa.node.founding import DEFAULT_POLICY, MemberSpec, build_genesis
from hansa.node.home import Home, create_home
from hansa.node.service import wall_clock_ms
from hansa.sdk.build import sign_batch, sign_transaction
from hansa.sdk.keys import KeyPair

ASSET = "MOP"
FUNDING_MINOR = 1_000_000
VALIDITY_MS = 14 * 60_000
CALLS = 8
"""Wallets opened and funded by one envelope."""
WALLETS_PER_BATCH = 1_000
PASSPHRASE = "bench"  # noqa: S105 - the keys come from public names
KEYS_CACHED = 1_000_000


@lru_cache(maxsize=KEYS_CACHED)
def derive_key(name: str) -> KeyPair:
    """Derive a key of the benchmark from its name."""
    return KeyPair.from_seed(hashlib.sha256(b"bench\x00" + name.encode()).digest())


OPERATOR, OPERATOR_2, SERVER = "operator", "operator2", "server"
"""The operator's officers, of whom the first one's address is its own, and the key that signs its
batches."""


def create_bench_home(folder: Path, *, attested_from_minor: int = 0) -> Home:
    """Set up a node of a network with a central bank and one operator.

    Args:
      folder: of the node.
      attested_from_minor: from which amount on payments need an attestation; 0 for none.
    """
    officers = [derive_key(f"officer{number}") for number in range(2)]
    addresses = tuple(key.address for key in officers)
    bank = MemberSpec(
        "Central Bank", ("central_bank",), addresses, derive_key("bank server").address, 2, 1
    )
    operator = MemberSpec(
        "Bench Bank",
        ("operator",),
        (derive_key(OPERATOR).address, derive_key(OPERATOR_2).address),
        derive_key(SERVER).address,
    )
    node = derive_key("node")
    policy = {**DEFAULT_POLICY, ATTESTATION_FROM: (attested_from_minor,)}
    genesis = build_genesis("bench", wall_clock_ms(), [bank, operator], sealer=node, policy=policy)
    keys = {"node": node, "sponsor": derive_key(SERVER)}
    return create_home(folder, genesis, keys, PASSPHRASE)


class Signer:
    """Signs parts of the load in processes; use as a context manager."""

    def __init__(self, genesis: Genesis, wallet_count: int) -> None:
        self._genesis = genesis.encoded()
        self._wallet_count = wallet_count
        self._pool = start_workers(os.cpu_count() or 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def sign_setup(self) -> Iterator[bytes]:
        """Yield the batches that issue the money, open the wallets and fund them."""
        yield sign_issue(self._genesis, self._wallet_count)
        starts = iter(range(0, self._wallet_count, WALLETS_PER_BATCH))
        sign = partial(sign_wallets, self._genesis, self._wallet_count)
        while part := list(islice(starts, 2 * (os.cpu_count() or 1))):
            yield from self._pool.map(sign, part)

    def sign_batches(self, count: int, per_batch: int, first: int = 0) -> list[bytes]:
        """Sign `count` transfers in batches of their sponsor, numbered from `first` on."""
        sign = partial(sign_transfers, self._genesis, self._wallet_count, per_batch)
        return list(self._pool.map(sign, range(first, first + count, per_batch)))

    def sign_envelopes(self, count: int, per_part: int, first: int = 0) -> list[bytes]:
        """Sign `count` transfers as single envelopes."""
        sign = partial(sign_singles, self._genesis, self._wallet_count, per_part)
        parts = self._pool.map(sign, range(first, first + count, per_part))
        return [envelope for part in parts for envelope in part]


@lru_cache(maxsize=1)
def _network(genesis: bytes) -> Network:
    return Network.of(decode_genesis(genesis))


def sponsor_batch(network: Network, envelopes: list[bytes]) -> bytes:
    """Sign envelopes as a batch of the operator's."""
    items = [(envelope, None) for envelope in envelopes]
    return sign_batch(network, derive_key(OPERATOR).address, derive_key(SERVER), items)


def sign_issue(genesis: bytes, count: int) -> bytes:
    """Sign the issue of all money of the run; the operator has to ask for none of it."""
    network = _network(genesis)
    operator = derive_key(OPERATOR).address
    commands = (
        currency.SetQuota(operator, ASSET, count * FUNDING_MINOR),
        currency.Issue(operator, ASSET, count * FUNDING_MINOR),
    )
    officers = [derive_key("officer0"), derive_key("officer1")]
    until = wall_clock_ms() + VALIDITY_MS
    return sponsor_batch(network, [sign_transaction(network, officers, commands, until).envelope])


def sign_wallets(genesis: bytes, wallet_count: int, start: int) -> bytes:
    """Sign the opening and funding of the wallets of one batch, from `start` on."""
    end = min(start + WALLETS_PER_BATCH, wallet_count)
    network = _network(genesis)
    operator = derive_key(OPERATOR)
    until = wall_clock_ms() + VALIDITY_MS
    envelopes = []
    for first in range(start, end, CALLS):
        commands: list[Command] = []
        for number in range(first, min(first + CALLS, end)):
            wallet = derive_key(f"wallet{number}").address
            commands += [
                wallets.Open(wallet, operator.address, wallets.Category.I),
                payments.CashIn(operator.address, wallet, ASSET, FUNDING_MINOR, f"in{number}"),
            ]
        envelopes.append(sign_transaction(network, [operator], commands, until).envelope)
    return sponsor_batch(network, envelopes)


def sign_singles(genesis: bytes, wallet_count: int, count: int, start: int) -> list[bytes]:
    """Sign transfers between random wallets, each by its payer."""
    network = _network(genesis)
    draw = random.Random(start)  # noqa: S311 - a load, not a secret
    until = wall_clock_ms() + VALIDITY_MS
    envelopes = []
    for number in range(start, start + count):
        payer, payee = draw.sample(range(wallet_count), 2)
        key = derive_key(f"wallet{payer}")
        command = payments.Transfer(
            key.address,
            derive_key(f"wallet{payee}").address,
            ASSET,
            draw.randint(1, 100),
            f"t{number}",
        )
        envelopes.append(sign_transaction(network, [key], [command], until).envelope)
    return envelopes


def sign_transfers(genesis: bytes, wallet_count: int, count: int, start: int) -> bytes:
    """Sign one batch of transfers between random wallets."""
    return sponsor_batch(_network(genesis), sign_singles(genesis, wallet_count, count, start))
