"""Vectors of genesis: good documents, and every way to be bad."""

from __future__ import annotations

import msgspec
from tests.vectors.parts import NETWORKS, list_bad_limits

from hansa.kernel.encoding import encode
from hansa.kernel.genesis import Sealer


def make_networks() -> dict[str, str]:
    return {name: network.genesis.encoded().hex() for name, network in NETWORKS.items()}


def make_genesis_cases() -> list[dict]:
    cases = []
    for name, network in NETWORKS.items():
        post = {
            "hash": network.genesis.hash,
            "genesis_hash": network.genesis_hash.hex(),
            "tx_prefix": network.tx_prefix.hex(),
            "batch_prefix": network.batch_prefix.hex(),
            "header_prefix": network.header_prefix.hex(),
            "attestation_prefix": network.attestation_prefix.hex(),
        }
        cases.append({"name": name, "input": network.genesis.encoded().hex(), "post": post})
    genesis = NETWORKS["vectors"].genesis
    fields = msgspec.msgpack.decode(genesis.encoded())

    def change(name: str, code: str, **changes) -> None:
        raw = msgspec.structs.replace(genesis, **changes).encoded()
        cases.append({"name": name, "input": raw.hex(), "code": code})

    def change_field(name: str, code: str, at: int, value) -> None:
        raw = encode([*fields[:at], value, *fields[at + 1 :]])
        cases.append({"name": name, "input": raw.hex(), "code": code})

    change("another version", "UNSUPPORTED_VERSION", version=2)
    change("an unknown hash", "MALFORMED", hash="sha1")
    change("no suite", "SUITE", suites=())
    change("an unknown suite", "SUITE", suites=(1, 4))
    change("no sealer", "MALFORMED", sealers=())
    change("a sealer's key of small order", "PUBLIC_KEY", sealers=(Sealer(1, bytes(32)),))
    change("a sealer of an unknown suite", "PUBLIC_KEY", sealers=(Sealer(7, bytes(32)),))
    change("a beginning that is too late", "MALFORMED", time_ms=2**53)
    change_field("no name", "MALFORMED", 1, "")
    change_field("a name that is bytes", "MALFORMED", 1, b"vectors")
    change_field("a limit of zero", "MALFORMED", 5, [0] * 8)
    for name, limits in list_bad_limits().items():
        change(name, "MALFORMED", limits=limits)
    change_field("limits left out", "NOT_CANONICAL", 5, [1])
    change_field("a policy of fractions", "MALFORMED", 9, [["p", [1.5]]])
    member = fields[7][0]
    shortened = [*member[:4], [member[4][0][:2]], member[5]]
    change_field("a key without weight and limit", "NOT_CANONICAL", 7, [shortened])

    def change_key(name: str, code: str, *key) -> None:
        change_field(name, code, 7, [[*member[:4], [[*member[4][0][:2], *key]], member[5]]])

    change_key("a key with a fifth field", "NOT_CANONICAL", 1, 0, 0)
    change_key("a key of no weight", "MALFORMED", 0, 0)
    change_key("a key of too much weight", "MALFORMED", 2**32 + 1, 0)
    asset = ["MOP", "MOP", member[0], "m0", 2]
    change_field("an asset without exponent", "NOT_CANONICAL", 8, [asset[:4]])
    change_field("an asset with a sixth field", "MALFORMED", 8, [[*asset, 0]])
    change_field("an asset of too long a name", "MALFORMED", 8, [["M" * 25, *asset[1:]]])
    change_field("too long a name", "MALFORMED", 1, "ü" * 65)
    change_field("a policy without a name", "MALFORMED", 9, [["", [1]]])
    change_field("a policy of too long a name", "MALFORMED", 9, [["p" * 97, [1]]])
    change_field("a contract of version 0", "MALFORMED", 10, [["tally", 0, bytes(32)]])
    change_field("a suite below zero", "SUITE", 4, [-1])
    raw = genesis.encoded()
    cases += [
        {"name": "nothing", "input": "", "code": "MALFORMED"},
        {"name": "a byte too many", "input": (raw + b"\0").hex(), "code": "MALFORMED"},
        {"name": "a byte too few", "input": raw[:-1].hex(), "code": "MALFORMED"},
        {"name": "a twelfth field", "input": encode([*fields, 0]).hex(), "code": "MALFORMED"},
        {
            "name": "a wide integer",
            "input": raw.replace(b"\x01", b"\xcc\x01", 1).hex(),
            "code": "NOT_CANONICAL",
        },
    ]
    return cases
