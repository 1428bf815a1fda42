"""A reader of snapshots, from docs/reference/snapshots.md alone, with no line of Hansa."""

from __future__ import annotations

import hashlib

from tests.vectors.independent import (
    ANY_INT,
    COUNT,
    HASH,
    HEADER,
    POSITIVE,
    Network,
    array,
    binary,
    fields,
    read,
    require,
    text,
    unpack,
)
from tests.vectors.independent_receipt import check_genesis, check_seals

MANIFEST_BYTES_MAX = 3 << 20
KEY_BYTES_MAX, VALUE_BYTES_MAX = 4_096, 256 << 20
WINDOW_MS = 901_000
SEAL = fields(ANY_INT, binary(), binary())
MANIFEST = fields(POSITIVE, COUNT, binary(), array(SEAL), COUNT, array(HASH))
DROP = fields(COUNT, COUNT, text, text)
RECORD = fields(
    binary(),
    array(SEAL),
    array(binary()),
    array(binary()),
    array(DROP),
    array(lambda _: False),  # no facts
    COUNT,
    array(lambda _: False),  # no updates
)


def iterate_frames(chunks: list[bytes]):
    """Read the frames of a stream that was cut into chunks."""
    stream, at = b"".join(chunks), 0
    while at < len(stream):
        require(at + 8 <= len(stream), "MALFORMED")
        of_key, of_value = (int.from_bytes(stream[at + i : at + i + 4], "little") for i in (0, 4))
        require(of_key <= KEY_BYTES_MAX and of_value <= VALUE_BYTES_MAX, "MALFORMED")
        start, end = at + 8, at + 8 + of_key + of_value
        require(end <= len(stream), "MALFORMED")
        yield stream[start : start + of_key], stream[start + of_key : end]
        at = end


def check_manifest(network: Network, raw: bytes, trusted: bytes | None) -> tuple[list, list]:
    """Check a manifest against what is trusted; returns it and its header."""
    require(len(raw) <= MANIFEST_BYTES_MAX, "TOO_LARGE")
    manifest = read(MANIFEST, raw)
    version, _, header_raw, seals, first, sums = manifest
    require(version == 1, "UNSUPPORTED_VERSION")
    header = read(HEADER, header_raw)
    require(header[7] == header[1] and sums != [] and first <= header[1], "MALFORMED")
    if trusted is None:
        check_seals(network, header_raw, seals)
    else:
        require(network.header_hash(header_raw) == trusted, "MALFORMED")
    return manifest, header


def check_block(network: Network, raw: bytes, height: int, previous: bytes | None) -> tuple:
    """Check a block; returns its header, its hash and its height of CometBFT."""
    record = read(RECORD, raw)
    header_raw, seals, batches, receipts, dropped, _, consensus_height, _ = record
    header = read(HEADER, header_raw)
    require(header[1] == height and previous in (None, header[3]), "MALFORMED")
    require(all(words == "" for *_, words in dropped), "MALFORMED")
    if network.document[6]:
        check_seals(network, header_raw, seals)
    else:
        require(seals == [], "MALFORMED")
    require(network.list_root([network.digest(batch) for batch in batches]) == header[10], "ROOT")
    left_out = {(batch, item) for batch, item, *_ in dropped}
    kept = [
        network.digest(envelope)
        for at, batch in enumerate(batches)
        for number, (envelope, _) in enumerate(unpack(unpack(batch)[0])[2])
        if (at, number) not in left_out
    ]
    require(header[9] == len(receipts), "MALFORMED")
    require(network.list_root(kept) == header[4], "ROOT")
    require(network.list_root(receipts) == header[5], "ROOT")
    return header, network.header_hash(header_raw), consensus_height


def read_snapshot(
    genesis: bytes, manifest_raw: bytes, chunks: list[bytes], trusted: bytes | None
) -> dict:
    """Read a snapshot, and believe what the trusted header proves."""
    network = check_genesis(genesis)
    manifest, head = check_manifest(network, manifest_raw, trusted)
    _, consensus_height, header_raw, _, first_height, sums = manifest
    require([hashlib.sha256(chunk).digest() for chunk in chunks] == sums, "SUM")
    height, previous, first_ms, at, last_raw = first_height, None, None, 0, None
    rows: dict[bytes, bytes] = {}
    for key, value in iterate_frames(chunks):
        if key:
            require(len(key) >= 2 and key > max(rows, default=b""), "ORDER")
            rows[key] = value
            continue
        require(rows == {}, "ORDER")
        header, previous, found = check_block(network, value, height, previous)
        require(found >= at, "ORDER")
        height, at, last_raw = height + 1, found, unpack(value)[0]
        first_ms = header[2] if first_ms is None else first_ms
    require(last_raw == header_raw and at == consensus_height, "BLOCKS")
    require(first_height == 0 or first_ms < head[2] - WINDOW_MS, "WINDOW")
    require(network.state_root(rows) == head[8], "ROOT")
    return {
        "hash": hashlib.sha256(manifest_raw).hexdigest(),
        "height": head[1],
        "first_height": first_height,
        "state_root": head[8].hex(),
        "blocks": height - first_height,
        "rows": len(rows),
    }
