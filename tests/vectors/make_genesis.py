"""Vectors of genesis: good documents, and every way to be bad."""

from __future__ import annotations

import msgspec
from tests.vectors.parts import NETWORKS, key, list_bad_limits

from hansa.kernel.encoding import encode
from hansa.kernel.genesis import Genesis, GenesisNode, Network, Sealer


def make_networks() -> dict[str, str]:
    return {name: network.genesis.encoded().hex() for name, network in NETWORKS.items()}


def list_with_nodes() -> list[tuple[str, Network]]:
    """Networks whose members have nodes: one that is voted, and one that is sealed all the same."""
    genesis = NETWORKS["vectors"].genesis
    sealed = [msgspec.structs.replace(node, consensus_key=b"") for node in make_nodes(genesis)]
    return [
        ("validators that vote", Network.of(make_voted(genesis))),
        (
            "nodes without consensus keys beside a sealer",
            Network.of(msgspec.structs.replace(genesis, nodes=tuple(sealed))),
        ),
    ]


def make_nodes(genesis: Genesis) -> tuple[GenesisNode, ...]:
    north, small, seldom = (member.address for member in genesis.members[:3])
    peers = [bytes([number]) * 20 for number in range(1, 9)]
    return (
        GenesisNode(north, key("north node").public_key, (peers[0],), bytes([7]) * 32, "https://n"),
        GenesisNode(
            small, key("small node").public_key, tuple(peers[1:]), b"", "http://[::1]:26600/"
        ),
        GenesisNode(seldom, b"", (), b"", ""),
    )


def make_voted(genesis: Genesis) -> Genesis:
    return msgspec.structs.replace(genesis, sealers=(), nodes=make_nodes(genesis))


def make_genesis_cases() -> list[dict]:
    cases = []
    for name, network in [*NETWORKS.items(), *list_with_nodes()]:
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
    change("a suite twice", "SUITE", suites=(1, 2, 1))
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
    cases += make_bad_nodes(genesis)
    raw = genesis.encoded()
    cases += [
        {"name": "nothing", "input": "", "code": "MALFORMED"},
        {"name": "a byte too many", "input": (raw + b"\0").hex(), "code": "MALFORMED"},
        {"name": "a byte too few", "input": raw[:-1].hex(), "code": "MALFORMED"},
        {"name": "a thirteenth field", "input": encode([*fields, 0]).hex(), "code": "MALFORMED"},
        {
            "name": "a wide integer",
            "input": raw.replace(b"\x01", b"\xcc\x01", 1).hex(),
            "code": "NOT_CANONICAL",
        },
    ]
    return cases


def make_bad_nodes(genesis: Genesis) -> list[dict]:
    """Every way in which nodes, or they and the rest, do not fit together."""
    voted = make_voted(genesis)
    first, second, observer = voted.nodes
    fields = msgspec.msgpack.decode(voted.encoded())
    idle = tuple(msgspec.structs.replace(member, weight=0) for member in genesis.members)
    cases = []

    def change(name: str, code: str, **changes) -> None:
        raw = msgspec.structs.replace(voted, **changes).encoded()
        cases.append({"name": name, "input": raw.hex(), "code": code})

    def change_node(name: str, code: str, **changes) -> None:
        change(name, code, nodes=(first, msgspec.structs.replace(second, **changes), observer))

    change("sealed and voted", "MALFORMED", sealers=genesis.sealers)
    change("neither sealed nor voted", "MALFORMED", nodes=())
    change("voted by one without a consensus key", "MALFORMED", nodes=(observer,))
    change("voted by one without a weight", "MALFORMED", members=idle)
    change("a node of a stranger", "MALFORMED", nodes=(first, replace_member(second)))
    change("voted by a stranger", "MALFORMED", nodes=(replace_member(first),))
    change_node("a consensus key of small order", "PUBLIC_KEY", consensus_key=bytes(32))
    change_node("a consensus key of 31 bytes", "PUBLIC_KEY", consensus_key=bytes(31))
    change_node("a consensus key of 33 bytes", "MALFORMED", consensus_key=bytes(33))
    change_node("a consensus key twice", "MALFORMED", consensus_key=first.consensus_key)
    change_node("two nodes of a member", "MALFORMED", member=first.member)
    change_node("a peer of two members", "MALFORMED", peers=first.peers)
    change_node("a peer twice", "MALFORMED", peers=(second.peers[0], second.peers[0]))
    change_node("a peer of 19 bytes", "MALFORMED", peers=(bytes(19),))
    change_node("nine peers", "MALFORMED", peers=(*second.peers, b"p" * 20, b"q" * 20))
    change_node("a channel key of 31 bytes", "MALFORMED", channel_key=bytes(31))
    change_node("a url of another scheme", "MALFORMED", url="ftp://small")
    change_node("a url with a blank", "MALFORMED", url="http://small net")
    change_node("a url beyond ASCII", "MALFORMED", url="http://städtchen")
    change_node("too long a url", "MALFORMED", url="http://" + "x" * 250)
    changed = {
        "nodes left out": ("NOT_CANONICAL", [*genesis_fields(genesis)[:-1]]),
        "a node without url": ("MALFORMED", [*fields[:-1], [fields[-1][0][:4]]]),
        "a node with a sixth field": ("MALFORMED", [*fields[:-1], [[*fields[-1][0], 0]]]),
    }
    for name, (code, document) in changed.items():
        cases.append({"name": name, "input": encode(document).hex(), "code": code})
    return cases


def replace_member(node: GenesisNode) -> GenesisNode:
    return msgspec.structs.replace(node, member=bytes([9]) * 32)


def genesis_fields(genesis: Genesis) -> list:
    return msgspec.msgpack.decode(genesis.encoded())
