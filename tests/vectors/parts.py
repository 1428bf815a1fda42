"""What the vectors are made of: keys from names, three networks, envelopes and batches to order."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec

from hansa.kernel.authority import ALL_PURPOSES, AccountKey, Purpose
from hansa.kernel.encoding import encode
from hansa.kernel.genesis import (
    LIMITS_LEAST,
    LIMITS_MOST,
    Genesis,
    GenesisMember,
    GenesisPolicy,
    Limits,
    Network,
    Sealer,
)
from hansa.sdk.keys import KeyPair

START_MS = 1_700_000_000_000
MINUTE_MS = 60_000
LIMITS = Limits(
    envelope_bytes=4_096,
    batch_bytes=65_536,
    batch_items=64,
    signers=4,
    calls=4,
    reads=64,
    writes=16,
    events=16,
)
QUOTAS = {
    "north": (2**40, 2**32, 2**20, 2**32),
    "small": (700, 2**32, 2**20, 2**32),
    "seldom": (2**40, 2, 2**20, 2**32),
    "wrong": (2**40, 2**32, 2, 2**32),
    "full": (2**40, 2**32, 2**20, 2),
}
"""Of each sponsor: bytes, envelopes and refusals a day, stored rows."""


def list_bad_limits() -> dict[str, Limits]:
    """Make limits under which no block could be made, or none that others could read."""
    least, most = LIMITS_LEAST, LIMITS_MOST
    bad = {
        f"{name}: {word}": msgspec.structs.replace(start, **{name: getattr(start, name) + step})
        for name in Limits.__struct_fields__
        for word, start, step in (
            ("one below the least", least, -1),
            ("one above the most", most, 1),
        )
        if getattr(start, name) + step > 0
    }
    narrow = msgspec.structs.replace(LIMITS, batch_bytes=LIMITS.envelope_bytes + 255)
    return {**bad, "a batch that has no room for its envelope": narrow}


def key(name: str, suite: int = 1, hash_name: str = "sha256") -> KeyPair:
    """Derive the key that the vectors call by `name`."""
    return KeyPair.from_seed(hashlib.sha256(b"vector\0" + name.encode()).digest(), suite, hash_name)


def nonce(number: int) -> bytes:
    return hashlib.sha256(b"nonce %d" % number).digest()[:16]


def make_genesis(name: str, hash_name: str, suites: tuple[int, ...]) -> Genesis:
    """Make a network of five sponsors, each with an officer's and a server's key."""
    members = []
    for member in QUOTAS:
        officer = key(member, 1, hash_name).address
        server = key(f"{member} server", 1, hash_name).address
        keys = (
            AccountKey(officer, int(ALL_PURPOSES & ~Purpose.SPONSOR)),
            AccountKey(server, int(Purpose.SPONSOR)),
        )
        members.append(GenesisMember(officer, member, ("operator",), 1, keys, 1))
    sealer = key("sealer", 1, hash_name)
    return Genesis(
        version=1,
        network=name,
        time_ms=START_MS,
        hash=hash_name,
        suites=suites,
        limits=LIMITS,
        sealers=(Sealer(1, sealer.public_key),),
        members=tuple(members),
        assets=(),
        policy=tuple(
            GenesisPolicy(f"sponsor.quota.{key(member, 1, hash_name).address.hex()}", quota)
            for member, quota in QUOTAS.items()
        ),
        contracts=(),
    )


NETWORKS = {
    genesis.network: Network.of(genesis)
    for genesis in (
        make_genesis("vectors", "sha256", (1, 2, 3)),
        make_genesis("vectors-sm3", "sm3", (1, 2, 3)),
        make_genesis("ed25519-only", "sha256", (1,)),
    )
}


@dataclass
class Forge:
    """Makes envelopes and batches for one network: good ones, and any kind of bad ones."""

    network: Network
    count: int = 0

    def key(self, name: str, suite: int = 1) -> KeyPair:
        return key(name, suite, self.network.genesis.hash)

    def fields(self, *keys: KeyPair, **changes) -> list:
        """The five fields of a body: a tally of 5, unless `calls` says otherwise."""
        self.count += 1
        first = keys[0].address if keys else self.key("ann").address
        body = {
            "version": 1,
            "signers": [each.address for each in keys],
            "nonce": nonce(self.count),
            "valid_until_ms": START_MS + MINUTE_MS,
            "calls": [["tally", "add", [first, "coffee", 5]]],
        }
        return list({**body, **changes}.values())

    def sign(self, signer: KeyPair, body: bytes, prefix: bytes | None = None) -> list:
        """One signature as it stands in an envelope."""
        message = (self.network.tx_prefix if prefix is None else prefix) + body
        return [int(signer.suite), signer.public_key, signer.sign(message)]

    def seal(self, body: bytes, *keys: KeyPair) -> bytes:
        """Sign the bytes of a body, whatever they are."""
        return encode([body, [self.sign(each, body) for each in keys]])

    def envelope(self, *keys: KeyPair, **changes) -> bytes:
        """An envelope signed by all `keys`; ann's if none are named."""
        keys = keys or (self.key("ann"),)
        return self.seal(encode(self.fields(*keys, **changes)), *keys)

    def call(self, *calls: list, by: tuple[KeyPair, ...] = (), until_ms: int = 0) -> bytes:
        """An envelope with these calls of the contract `tally`."""
        named = [each if len(each) > 2 else ["tally", *each] for each in calls]
        return self.envelope(*by, calls=named, valid_until_ms=until_ms or START_MS + MINUTE_MS)

    def batch_body(self, *envelopes: bytes, sponsor: str = "north", **changes) -> bytes:
        items = [each if isinstance(each, list) else [each, None] for each in envelopes]
        body = {"version": 1, "sponsor": self.key(sponsor).address, "items": items}
        return encode(list({**body, **changes}.values()))

    def batch(
        self, *envelopes: bytes | list, sponsor: str = "north", signer: str = "", **changes
    ) -> bytes:
        """A batch signed by the sponsor's server; an item may be [envelope, attestation]."""
        body = self.batch_body(*envelopes, sponsor=sponsor, **changes)
        server = self.key(signer or f"{sponsor} server")
        return encode([body, *self.sign(server, body, self.network.batch_prefix)])
