"""Evidence files, read and verified from `docs/reference/evidence-file.md` alone."""

from __future__ import annotations

import base64
import binascii
import json

from tests.vectors.independent import require, unpack
from tests.vectors.independent_receipt import check_genesis, follow, open_file
from tests.vectors.independent_receipt import verify as verify_receipt

BYTES_MAX = 6_291_456
MEMBERS = ["format", "hash", "index", "leaves", "path", "receipt", "salt", "version"]
DIGITS = set("0123456789abcdef")


def is_hex(value: object, *lengths: int) -> bool:
    return type(value) is str and len(value) in lengths and set(value) <= DIGITS


def is_count(value: object, most: int) -> bool:
    return type(value) is int and 0 <= value <= most


def read_file(raw: bytes) -> dict:
    """Read the object, with exactly its members."""
    require(len(raw) <= BYTES_MAX, "TOO_LARGE")
    try:
        pairs = json.loads(raw.decode(), object_pairs_hook=list)
    except ValueError:
        pairs = None
    require(type(pairs) is list and all(type(pair) is tuple for pair in pairs), "MALFORMED")
    require(sorted(name for name, _ in pairs) == MEMBERS, "MALFORMED")
    file = dict(pairs)
    path = file["path"]
    is_sound = (
        file["format"] == "hansa-evidence"
        and type(file["version"]) is int
        and file["version"] == 1
        and is_hex(file["hash"], 64)
        and is_hex(file["salt"], 0, 32)
        and is_count(file["index"], 2**32)
        and is_count(file["leaves"], 2**32)
        and type(path) is list
        and len(path) <= 32
        and all(is_hex(node, 64) for node in path)
        and type(file["receipt"]) is str
    )
    require(is_sound, "MALFORMED")
    return file


def read_receipt(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        require(condition=False, code="MALFORMED")
        raise


def find_event(events: list, root: bytes, leaves: int) -> tuple[bytes, list[bytes]] | None:
    """Find who put the root on record, and who was asked to sign."""
    for contract, name, fields in events:
        if contract != "evidence":
            continue
        if name == "Notarised" and fields[2:4] == [root, leaves]:
            return fields[1], fields[4]
        if name == "ManyNotarised" and leaves == 0 and root in fields[2]:
            return fields[1], []
    return None


def verify(raw: bytes, trusted: bytes | None = None) -> dict:
    """Verify a file; returns what it proves."""
    file = read_file(raw)
    receipt_file = read_receipt(file["receipt"])
    proven = verify_receipt(receipt_file, trusted)
    is_voted, document = open_file(receipt_file)
    network = check_genesis(document[0])
    root = leaf = bytes.fromhex(file["hash"])
    if file["leaves"]:
        path = [bytes.fromhex(node) for node in file["path"]]
        root = follow(network, leaf, file["index"], file["leaves"], path)
    else:
        require(not file["path"] and not file["index"], "MALFORMED")
    header = unpack(document[1] if is_voted else document[2])
    events = unpack(document[-2])[4]
    found = find_event(events, root, file["leaves"])
    require(found is not None, "MALFORMED")
    notary, cosigners = found
    return {
        "genesis_hash": proven["genesis_hash"],
        "notary": notary.hex(),
        "time_ms": header[2],
        "evidence_hash": root.hex(),
        "cosigners": [cosigner.hex() for cosigner in cosigners],
        "hash": file["hash"],
        "leaves": file["leaves"],
        "index": file["index"],
        "salt": file["salt"],
    }
