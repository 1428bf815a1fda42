"""A reader of the block log, from docs/reference/log.md and wire.md, with no line of Hansa."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from tests.vectors.independent import (
    ANY_INT,
    COUNT,
    HEADER,
    Network,
    array,
    binary,
    check_batch,
    fields,
    pack,
    read,
    require,
    text,
    verifies,
)

SEGMENT_HEADER, FRAME_HEADER = 40, 32
BOOLEAN = (False, True)
FACT = fields(
    text, lambda value: value is None or value in BOOLEAN or text(value) or ANY_INT(value)
)
RECORD = fields(
    binary(),
    array(fields(ANY_INT, binary(), binary())),
    array(binary()),
    array(binary()),
    array(fields(COUNT, COUNT, text, text)),
    array(fields(COUNT, array(FACT))),
    COUNT,
    array(fields(binary(), COUNT)),
)


def iterate_payloads(segment: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Read a segment: offset, height and payload of each frame."""
    version, height = struct.unpack_from("<IQ", segment, 8)
    salt = segment[20:36]
    (checksum,) = struct.unpack_from("<I", segment, 36)
    require(segment[:8] == b"HANSALOG" and version == 1, "MAGIC")
    require(zlib.crc32(segment[:36]) == checksum, "CHECKSUM")
    at = SEGMENT_HEADER
    while at < len(segment):
        head = segment[at : at + FRAME_HEADER]
        magic, length, found, confirmed, of_payload, of_head = struct.unpack("<4sIQqII", head)
        payload = segment[at + FRAME_HEADER : at + FRAME_HEADER + length]
        require((magic, found) == (b"HBLK", height) and confirmed < height, "FRAME")
        require(zlib.crc32(salt + head[:28]) == of_head, "CHECKSUM")
        require(zlib.crc32(payload) == of_payload, "CHECKSUM")
        yield at, height, payload
        at, height = at + FRAME_HEADER + length, height + 1


def read_confirmed(raw: bytes) -> int:
    """The higher whole slot."""
    require(len(raw) == 1_024, "LENGTH")
    slots = [(raw[at : at + 12], *struct.unpack_from("<qI", raw, at + 4)) for at in (0, 512)]
    return max(height for head, height, checksum in slots if zlib.crc32(head) == checksum)


def read_index(raw: bytes) -> tuple[int, list[int]]:
    """First height, and an offset a height."""
    require(raw[:8] == b"HANSAIDX", "MAGIC")
    first, *offsets = struct.unpack(f"<{len(raw) // 8 - 1}Q", raw[8:])
    return first, offsets


def check_record(network: Network, raw: bytes, previous: bytes) -> tuple[list, bytes]:
    """Check a block record against its own header; returns that and its hash."""
    header_raw, seals, batches, receipts, dropped, facts, *_ = read(RECORD, raw)
    header = read(HEADER, header_raw)
    require(header[3] == previous, "CHAIN")
    ((suite, key, signature),) = seals
    require([suite, key] in network.document[6], "SEALER")
    require(verifies(suite, key, signature, network.prefix("header") + header_raw), "SIGNATURE")
    places = [(batch, item) for batch, item, _, _ in dropped]
    require(places == sorted(places), "ORDER")
    kept = [
        item
        for at, batch in enumerate(batches)
        for number, item in enumerate(check_batch(network, batch).items)
        if (at, number) not in places
    ]
    require(header[9] == len(receipts) == len(kept), "COUNT")
    require(network.list_root([item.hash for item in kept]) == header[4], "TX_ROOT")
    require(network.list_root(receipts) == header[5], "RECEIPT_ROOT")
    require(network.list_root([network.digest(raw) for raw in batches]) == header[10], "BATCH_ROOT")
    heads = [receipt[:36] for receipt in receipts]
    ids = [b"\x95\xc4\x20" + item.tx_id for item in kept]
    require([head[:35] for head in heads] == ids, "IDS")
    require(all(heads[index][35] == 1 for index, _ in facts), "FACTS")
    return header, network.header_hash(header_raw)


def list_rows_of_genesis(network: Network) -> dict[bytes, bytes]:
    """List the rows of block 0 by key."""
    _, _, time_ms, _, _, _, _, members, assets, policy, contracts, nodes = network.document
    rows: dict[bytes, bytes] = {}

    def put(table: bytes, key: bytes, row: list) -> None:
        rows[table + key] = pack(row)

    for address, name, roles, weight, keys, threshold in members:
        put(b"me", address, [address, name, sorted(set(roles)), weight, False, 0])
        if keys:
            put(b"ac", address, [address, keys, threshold, 1, time_ms])
    powers = sorted([member[0], member[3]] for member in members if member[3])
    (bank,) = [member[0] for member in members if "central_bank" in member[2]]
    put(b"ro", (1).to_bytes(8, "big"), [1, powers, time_ms])
    put(b"mr", b"", [bank, 1, len(members), []])
    for name, values in policy:
        put(b"po", bytes([len(name.encode())]) + name.encode(), [name, [[0, values]]])
    for asset in assets:
        put(b"cy", bytes([len(asset[0].encode())]) + asset[0].encode(), [*asset, 0, 0])
    for node in nodes:
        put(b"nd", node[0], [*node, 0])
        if node[1]:
            put(b"nk", node[1], [node[1], node[0]])
        for peer in node[2]:
            put(b"np", peer, [peer, node[0], False])
    keyed = {node[0] for node in nodes if node[1]}
    present = sum(weight for address, weight in powers if address in keyed)
    if 3 * present > 2 * sum(weight for _, weight in powers):
        put(b"nb", b"", [[]])
    put(b"al", b"", [sorted([*contract, 0] for contract in contracts)])
    return rows
