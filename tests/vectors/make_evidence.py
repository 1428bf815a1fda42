"""Evidence files of two networks, honest ones and one for each rule that a file can break."""

from __future__ import annotations

import base64
import json

from tests.vectors.parts import NETWORKS, START_MS, Forge, key

from hansa.kernel.block import BlockRecord, Header
from hansa.kernel.encoding import encode
from hansa.kernel.receipt_file import build_receipt_file
from hansa.kernel.transaction import check_envelope
from hansa.kernel.trees.merkle import compute_root
from hansa.sdk.evidence import EvidenceBatch, build_evidence_file, hash_document

LEAVES = 5
SALT = bytes(range(16))


def make_evidence() -> list[dict]:
    """Make the cases."""
    return [case for name in ("vectors", "vectors-sm3") for case in Cases(name).list_cases()]


class Cases:
    """A batch of five on one network, and its second hash by itself."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.network = NETWORKS[name]
        hash_name = self.network.genesis.hash
        self.notary = key("notary", 1, hash_name).address
        self.cosigner = key("ann", 1, hash_name).address
        self.sealer = key("sealer", 1, hash_name)
        digest = self.network.digest
        self.hashes = [hash_document(b"paper %d" % at, SALT, digest) for at in range(LEAVES)]
        self.batch = EvidenceBatch.of(self.hashes, digest)
        self.root_told = self.tell("Notarised", self.batch.root, LEAVES, (self.cosigner,))
        self.one_told = self.tell("Notarised", self.hashes[1], 0, ())
        self.many_told = self.tell("ManyNotarised", tuple(self.hashes))

    def tell(self, name: str, *fields: object) -> tuple:
        """Make an event of the contract."""
        return ("evidence", name, ((), self.notary, *fields))

    def seal(self, *events: tuple, status: int = 0) -> bytes:
        """Make the receipt file of a transaction that told these events."""
        network, digest = self.network, self.network.digest
        envelope = Forge(network).envelope()
        tx_id = check_envelope(envelope, network)[0][:32]
        code = "evidence.ALREADY_NOTARISED" if status else ""
        receipt = encode((tx_id, status, code, 0, events))
        header = Header(
            version=1,
            height=7,
            time_ms=START_MS + 7_000,
            previous_hash=digest(b"block 6"),
            tx_root=compute_root([digest(envelope)], digest),
            receipt_root=compute_root([receipt], digest),
            write_set_hash=digest(b"writes"),
            checkpoint_height=6,
            state_root=digest(b"state"),
            tx_count=1,
            batch_root=digest(b"batches"),
        ).encoded()
        signature = self.sealer.sign(network.header_prefix + header)
        seal = (1, self.sealer.public_key, signature)
        record = BlockRecord(header, (seal,), (), (receipt,), (), ())
        return build_receipt_file(network, record, [envelope], 0)

    def list_cases(self) -> list[dict]:
        batch_receipt = self.seal(self.root_told)
        honest = [self.batch.build_file(at, batch_receipt, SALT) for at in range(LEAVES)]
        good = [(f"hash {at} of a batch", raw, self.post(at)) for at, raw in enumerate(honest)]
        for name, told in (("alone", self.one_told), ("with others", self.many_told)):
            raw = build_evidence_file(self.hashes[1], self.seal(told))
            good.append((f"a hash that was notarised {name}", raw, self.post_one()))
        several = self.seal(("later", "Notarised", ((),)), self.many_told, self.root_told)
        good.append(("among other events", self.batch.build_file(1, several), self.post(1, b"")))
        cases = [self.case(name, raw, {"post": post}) for name, raw, post in good]
        bad = self.list_bad(honest[1])
        cases += [self.case(name, raw, {"code": code}) for name, (raw, code) in bad.items()]
        return cases

    def case(self, name: str, raw: bytes, end: dict) -> dict:
        pre = {"network": self.name}
        return {"name": f"{self.name}: {name}", "pre": pre, "input": raw.decode(), **end}

    def post(self, at: int, salt: bytes = SALT) -> dict:
        return {
            "genesis_hash": self.network.genesis_hash.hex(),
            "notary": self.notary.hex(),
            "time_ms": START_MS + 7_000,
            "evidence_hash": self.batch.root.hex(),
            "cosigners": [self.cosigner.hex()],
            "hash": self.hashes[at].hex(),
            "leaves": LEAVES,
            "index": at,
            "salt": salt.hex(),
        }

    def post_one(self) -> dict:
        changes = {"evidence_hash": self.hashes[1].hex(), "cosigners": [], "leaves": 0}
        return {**self.post(1, b""), **changes, "index": 0}

    def list_bad(self, honest: bytes) -> dict[str, tuple[bytes, str]]:
        """List files that must be refused, each with the code."""
        lone = self.hashes[1]
        fields = json.loads(honest)
        path, receipt = fields["path"], base64.b64decode(fields["receipt"])
        other_receipt = base64.b64encode(self.seal(self.one_told)).decode()
        spoilt = base64.b64encode(receipt[:-1] + bytes([receipt[-1] ^ 1])).decode()
        alone = build_evidence_file(lone, self.seal(self.one_told))
        unproven = {
            "a leaf as if it stood for itself": build_evidence_file(lone, receipt),
            "a root as if it stood for itself": build_evidence_file(self.batch.root, receipt),
            "another place": change(honest, index=0),
            "another number of leaves": change(honest, leaves=LEAVES + 1),
            "another hash": change(honest, hash=self.hashes[2].hex()),
            "another node of the path": change(honest, path=[path[1], *path[1:]]),
            "a path too short": change(honest, path=path[:-1]),
            "a path too long": change(honest, path=[*path, path[0]]),
            "a place outside": change(honest, index=LEAVES),
            "the receipt of another transaction": change(honest, receipt=other_receipt),
            "a receipt without events": build_evidence_file(lone, self.seal()),
            "a refused transaction": build_evidence_file(lone, self.seal(status=1)),
            "an event of another contract": build_evidence_file(
                lone, self.seal(("notes", *self.one_told[1:]))
            ),
            "an event of another form": build_evidence_file(
                lone, self.seal(("evidence", "Notarised", ((), "deed", self.notary, lone, 0, ())))
            ),
            "a path of a hash for itself": change(alone, path=path[:1]),
            "a place of a hash for itself": change(alone, index=1),
            "another format": change(honest, format="hansa-receipt"),
            "another version": change(honest, version=2),
            "a member too many": change(honest, note=""),
            "a member missing": encode_json({k: v for k, v in fields.items() if k != "salt"}),
            "a member twice": honest.replace(b'"version"', b'"index": 1, "version"', 1),
            "capital digits": change(honest, hash=lone.hex().upper()),
            "a short hash": change(honest, hash=lone.hex()[:-2]),
            "a short salt": change(honest, salt=SALT.hex()[:-2]),
            "a place that is no integer": change(honest, index=1.5),
            "a place that is text": change(honest, index="1"),
            "a negative place": change(honest, index=-1),
            "more leaves than there can be": change(honest, leaves=2**32 + 1),
            "a path of 33": change(honest, path=path * 11),
            "no base64": change(honest, receipt=fields["receipt"] + "*"),
            "base64 without padding": change(honest, receipt=encode_unpadded(receipt)),
            "no object": b"[]",
            "nothing": b"",
        }
        bad = {name: (raw, "MALFORMED") for name, raw in unproven.items()}
        bad["a spoilt receipt"] = (change(honest, receipt=spoilt), "MALFORMED")
        return bad


def change(raw: bytes, **changes: object) -> bytes:
    return encode_json({**json.loads(raw), **changes})


def encode_json(fields: dict) -> bytes:
    return json.dumps(fields, indent=2).encode() + b"\n"


def encode_unpadded(receipt: bytes) -> str:
    """Encode with one byte more, if need be, so that there would be padding; leave it out."""
    return base64.b64encode(receipt + b"\0" * (len(receipt) % 3 == 0)).decode().rstrip("=")
