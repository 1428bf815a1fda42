"""Vectors of commitments, headers, receipts, row keys, authority, nonces and streams."""

from __future__ import annotations

import msgspec
from tests.vectors.make_envelopes import ANN, BOB, FORGE, case
from tests.vectors.parts import NETWORKS, START_MS, Forge, key, nonce
from tests.vectors.tally import Rules, Tally

from hansa.kernel.authority import Account, AccountKey, Purpose
from hansa.kernel.block import Header, Repeated, decode_header
from hansa.kernel.crypto.hashing import Domain, crypto_profile, signing_prefix
from hansa.kernel.crypto.possession import KeyProof, prove_possession
from hansa.kernel.crypto.signatures import verify_many
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Invalid, Refused
from hansa.kernel.genesis import VALIDITY_MAX_MS
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.execution import Block, Machine
from hansa.kernel.machine.nonces import ReplayWindow
from hansa.kernel.machine.state import State, View
from hansa.kernel.rows import Row
from hansa.kernel.transaction import build_checked, check_batch, compute_attestation
from hansa.kernel.trees.state_tree import StateTree

# --- commitments --------------------------------------------------------------------------------


def make_attestations() -> list[dict]:
    decisions = {
        "nothing": [],
        "a verdict": ["model-7", 3, "allow", START_MS],
        "facts of all kinds": ["", -1, True, None, b"\x01"],
    }
    cases = []
    for name, network in list(NETWORKS.items())[:2]:
        for what, decision in decisions.items():
            tx_id, salt = nonce(1) * 2, nonce(2)
            cases.append(
                {
                    "name": f"{what}, {name}",
                    "pre": {"network": name},
                    "input": {
                        "tx_id": tx_id.hex(),
                        "salt": salt.hex(),
                        "decision": encode(decision).hex(),
                    },
                    "post": {
                        "attestation": compute_attestation(network, tx_id, salt, *decision).hex()
                    },
                }
            )
    return cases


def make_possession() -> list[dict]:
    """Proofs that a member holds a key of CometBFT, and what is none."""
    cases = []
    for name, network in list(NETWORKS.items())[:2]:
        member, secret = key("bank").address, key("comet").private_key
        good = prove_possession(network.genesis_hash, member, secret)
        other = prove_possession(network.genesis_hash, member, key("other").private_key)
        elsewhere = prove_possession(bytes(32), member, secret)
        anothers = prove_possession(network.genesis_hash, bytes(32), secret)
        for what, proof in {
            "a proof": good,
            "a proof of another network": elsewhere,
            "a proof of another member": anothers,
            "the signature of another key": KeyProof(good.public_key, other.signature),
            "another key": KeyProof(other.public_key, good.signature),
            "no signature": KeyProof(good.public_key, bytes(64)),
            "a key of small order": KeyProof(b"\x01" + bytes(31), b"\x01" + bytes(63)),
        }.items():
            item = {
                "name": f"{what}, {name}",
                "pre": {"network": name},
                "input": {
                    "member": member.hex(),
                    "public_key": proof.public_key.hex(),
                    "signature": proof.signature.hex(),
                },
            }
            if proof is good:
                prefix = signing_prefix(Domain.POSSESSION, network.genesis_hash)
                message = prefix + member + proof.public_key
                item["post"] = {"signed_message": message.hex(), "peer": proof.peer.hex()}
            cases.append(item)
    return cases


# --- headers and receipts -----------------------------------------------------------------------


def make_headers() -> list[dict]:
    cases = []
    for name, network in list(NETWORKS.items())[:2]:
        sealer = Forge(network).key("sealer")
        for height in (0, 1, 2**40):
            roots = [network.digest(b"%d" % number) for number in range(6)]
            counts = (height // 2, roots[4], height % 999, roots[5])
            header = Header(1, height, START_MS, *roots[:4], *counts)
            raw = header.encoded()
            message = network.header_prefix + raw
            cases.append(
                case(
                    f"height {height}, {name}",
                    raw,
                    network=name,
                    fields=[v.hex() if isinstance(v, bytes) else v for v in _fields(raw)],
                    hash=network.digest(message).hex(),
                    seal=[1, sealer.public_key.hex(), sealer.sign(message).hex()],
                )
            )
    fields = _fields(raw)
    bad = {
        "ten fields": encode(fields[:10]),
        "twelve fields": encode([*fields, 0]),
        "a negative height": encode([1, -1, *fields[2:]]),
        "a height over 2^63 - 1": encode([1, 2**63, *fields[2:]]),
        "a root of 31 bytes": encode([*fields[:4], bytes(31), *fields[5:]]),
        "a root as text": encode([*fields[:4], "0" * 32, *fields[5:]]),
        "nothing": b"",
    }
    cases += [case(name, raw, "MALFORMED") for name, raw in bad.items()]
    return [*cases, case("a wide version", b"\x9b\xcc" + encode(fields)[1:], "NOT_CANONICAL")]


def _fields(raw: bytes) -> list:
    return msgspec.msgpack.decode(raw)


def make_receipts() -> list[dict]:
    tx_id = bytes(range(32))
    delta = ["wallet", ANN.address, "MOP", -5, 95, 1 << 20]
    good = {
        "ok, an event with a delta": [tx_id, 0, "", 0, [["payments", "Paid", [[delta], "1"]]]],
        "ok, no event": [tx_id, 0, "", 0, []],
        "refused": [tx_id, 1, "payments.SAME_WALLET", 1, []],
        "failed": [tx_id, 2, "kernel.FAILED", 0, []],
    }
    bad = {
        "an unknown status": [tx_id, 3, "", 0, []],
        "an id of 31 bytes": [tx_id[1:], 0, "", 0, []],
        "a negative call": [tx_id, 1, "x", -1, []],
        "four fields": [tx_id, 0, "", 0],
        "six fields": [tx_id, 0, "", 0, [], 0],
        "an event of two fields": [tx_id, 0, "", 0, [["payments", "Paid"]]],
        "an event with a float": [tx_id, 0, "", 0, [["payments", "Paid", [[], 1.5]]]],
        "an event with a map": [tx_id, 0, "", 0, [["payments", "Paid", [{}]]]],
    }
    cases = [
        {"name": name, "input": encode(value).hex(), "post": {"status": value[1], "code": value[2]}}
        for name, value in good.items()
    ]
    cases += [
        {"name": name, "input": encode(value).hex(), "code": "MALFORMED"}
        for name, value in bad.items()
    ]
    wide = encode(good["refused"]).replace(b"\x01\xb4", b"\xcc\x01\xb4", 1)
    return [*cases, {"name": "a wide status", "input": wide.hex(), "code": "NOT_CANONICAL"}]


# --- rows, authority, nonces --------------------------------------------------------------------


def make_rows() -> list[dict]:
    account = Account(
        ANN.address, (AccountKey(ANN.address, 255), AccountKey(BOB.address, 1, 2, 500)), 2
    )
    parts = {
        "bytes stand as they are": [ANN.address],
        "text behind its length": ["coffee"],
        "text of two bytes a letter": ["café"],
        "integers in eight bytes": [1, 2**63 - 1],
        "all of them": [ANN.address, "MOP", 7],
    }
    keys = [
        {
            "name": name,
            "input": [part.hex() if isinstance(part, bytes) else part for part in each],
            "post": {"key": Row.key(*each).hex()},
        }
        for name, each in parts.items()
    ]
    tally = Tally(ANN.address, "coffee", 5, 1 << 20)
    rows = [
        {
            "name": f"a row of {type(row).__name__}",
            "input": _show(_fields(encode(row))),
            "post": {"key": row.row_key().hex(), "row": encode(row).hex()},
        }
        for row in (account, tally)
    ]
    return keys + rows


def _show(value):
    if isinstance(value, list):
        return [_show(item) for item in value]
    return value.hex() if isinstance(value, bytes) else value


def make_authority() -> list[dict]:
    names = ("ann", "bob", "cay", "dan")
    owner, first, second, third = (FORGE.key(name).address for name in names)
    plain = Account(owner, (AccountKey(first, 255),), 1)
    pair = Account(owner, (AccountKey(first, 255), AccountKey(second, 3)), 2)
    weighty = Account(
        owner, (AccountKey(first, 1, 3), AccountKey(second, 1), AccountKey(third, 1)), 3
    )
    bounded = Account(owner, (AccountKey(first, 1, 1, 500), AccountKey(second, 255)), 1)
    questions = [
        ("no row, its own key", None, [owner], 1, 0),
        ("no row, another key", None, [first], 1, 0),
        ("no row, its own key among others", None, [first, owner], 64, 0),
        ("a row, its own key is worth nothing any more", plain, [owner], 1, 0),
        ("a row, a key of it", plain, [first], 128, 0),
        ("two of two", pair, [first, second], 1, 0),
        ("one of two", pair, [first], 1, 0),
        ("two of two, but not to this purpose", pair, [first, second], 4, 0),
        ("weight 3 of 3", weighty, [first], 1, 0),
        ("weight 2 of 3", weighty, [second, third], 1, 0),
        ("weight 2 of 3 and a stranger", weighty, [second, third, owner], 1, 0),
        ("a limit that suffices", bounded, [first], 1, 500),
        ("a limit that is passed", bounded, [first], 1, 501),
        ("a limit that is passed, and a key without", bounded, [first, second], 1, 501),
        ("another purpose than the limited key's", bounded, [first], 2, 1),
    ]
    cases = []
    for name, account, signers, purpose, amount in questions:
        code = _ask(account, owner, signers, purpose, amount)
        cases.append(
            {
                "name": name,
                "pre": {"row": None if account is None else encode(account).hex()},
                "input": {
                    "address": owner.hex(),
                    "signers": [signer.hex() for signer in signers],
                    "purpose": purpose,
                    "amount_minor": amount,
                },
            }
            | ({"code": code} if code else {"post": {}})
        )
    return cases


def _ask(account: Account | None, owner: bytes, signers, purpose: int, amount: int) -> str:
    rows = {} if account is None else {account.row_key(): encode(account)}
    view = View(State(rows), 9, 9)
    context = Context(
        view,
        genesis_hash=bytes(32),
        digest=crypto_profile("sha256").digest,
        height=1,
        time_ms=START_MS,
        position=1 << 20,
        tx_id=bytes(32),
        signers=tuple(signers),
        sponsor=owner,
        attestation=None,
    )
    try:
        context.require(owner, Purpose(purpose), amount)
    except Refused as refusal:
        return refusal.code.value
    return ""


def make_nonces() -> list[dict]:
    """Pairs handed to the replay window one after the other: is it new?"""
    ann, bob = ANN.address, BOB.address
    steps = [
        ("new", ann, 1, 60_000, 0),
        ("again", ann, 1, 60_000, 0),
        ("again, with another validity", ann, 1, 90_000, 1),
        ("another signer's", bob, 1, 60_000, 1),
        ("another nonce", ann, 2, 60_500, 1),
        ("at the end of validity", ann, 1, 120_000, 60_000),
        ("within the second of the end", ann, 1, 120_000, 60_999),
        ("at the end of the second", ann, 1, 120_000, 61_000),
        ("one after it: free again", ann, 1, 120_000, 61_001),
        ("and taken by that", ann, 1, 120_000, 61_001),
        ("mid-second, at the end of the second", ann, 2, 120_000, 61_000),
        ("mid-second, one after it", ann, 2, 120_000, 61_001),
        ("fifteen minutes ahead", bob, 3, 61_001 + VALIDITY_MAX_MS, 61_001),
        ("and long remembered", bob, 3, 10**6, 61_000 + VALIDITY_MAX_MS),
    ]
    window = ReplayWindow(FORGE.network.digest)
    return [
        {
            "name": name,
            "input": {
                "signer": signer.hex(),
                "nonce": nonce(number).hex(),
                "valid_until_ms": START_MS + until,
                "time_ms": START_MS + now,
            },
            "post": {"is_new": window.add(signer, nonce(number), START_MS + until, START_MS + now)},
        }
        for name, signer, number, until, now in steps
    ]


# --- streams ------------------------------------------------------------------------------------


class Recorder:
    """A machine over dicts that writes down what goes in and what comes out."""

    def __init__(self, network_name: str) -> None:
        self.network = NETWORKS[network_name]
        self.rows: dict[bytes, bytes] = {}
        nodes = Nodes()
        self.machine = Machine(
            self.network,
            Rules(self.network.genesis),
            State(self.rows),
            StateTree(nodes, self.network.digest),
        )
        self.blocks = []
        self._note(self.machine.apply_genesis(), START_MS, [])

    def apply(self, time_ms: int, *batches: bytes) -> None:
        checked = [
            build_checked(raw, check_batch(raw, self.network, verify_many), self.network)
            for raw in batches
        ]
        height = self.machine.head.height + 1
        self._note(self.machine.apply_block(Block(height, time_ms, checked)), time_ms, batches)

    def _note(self, result, time_ms: int, batches) -> None:
        for name, row in (result.committed or {}).items():
            if row is None:
                self.rows.pop(name, None)
            else:
                self.rows[name] = row
        raw = result.header.encoded()
        self.blocks.append(
            {
                "input": {
                    "height": decode_header(raw).height,
                    "time_ms": time_ms,
                    "batches": [batch.hex() for batch in batches],
                },
                "post": {
                    "header": raw.hex(),
                    "header_hash": result.header_hash.hex(),
                    "receipts": [receipt.hex() for receipt in result.receipts],
                    "outcomes": [[_tell(each) for each in batch] for batch in result.outcomes],
                    "failures": len(result.failures),
                },
            }
        )


class Nodes(dict):
    """The nodes of a state tree, in memory."""

    get_node = dict.get

    def put_node(self, path: bytes, blob: bytes) -> None:
        self[path] = blob

    def delete_node(self, path: bytes) -> None:
        self.pop(path, None)


def _tell(outcome) -> int | str:
    if isinstance(outcome, Invalid):
        return outcome.code.value
    return "repeated " + outcome.tx_id.hex() if isinstance(outcome, Repeated) else outcome
