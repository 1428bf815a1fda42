"""A verifier of receipt files, from docs/reference/receipt-file.md alone, with no line of Hansa."""

from __future__ import annotations

from tests.vectors.independent import (
    ANY_INT,
    COUNT,
    HASH,
    HEADER,
    INT64_MAX,
    Network,
    array,
    binary,
    check_envelope,
    check_key,
    fields,
    integer,
    plain,
    read,
    require,
    text,
    verifies,
)

FILE_BYTES_MAX = 4_194_304
PATH_MAX = 64
SEAL = fields(ANY_INT, binary(), binary())
FILE = fields(
    text, COUNT, binary(), array(binary()), binary(), array(SEAL),
    COUNT, binary(), array(HASH), binary(), array(HASH),
)  # fmt: skip
EVENT = fields(text, text, lambda value: type(value) is list and plain(value))
RECEIPT = fields(HASH, integer(0, 2), text, COUNT, array(EVENT))
POSITIVE = integer(1, INT64_MAX)
LIMITS = fields(*[POSITIVE] * 8)
SEALER = fields(POSITIVE, binary())
GENESIS_FIELDS = 11


def check_genesis(raw: bytes) -> Network:
    """Read a genesis document as far as a receipt file needs it."""
    document = read(lambda value: type(value) is list and len(value) == GENESIS_FIELDS, raw)
    require(document[0] == 1, "UNSUPPORTED_VERSION")
    require(document[3] in ("sha256", "sm3") and document[6] != [], "MALFORMED")
    require(LIMITS(document[5]) and array(SEALER)(document[6]), "MALFORMED")
    require(document[4] != [] and {1, 2, 3}.issuperset(document[4]), "SUITE")
    for suite, key in document[6]:
        check_key(suite, key)
    return Network(raw)


def follow(network: Network, leaf: bytes, index: int, count: int, path: list[bytes]) -> bytes:
    """Compute the root over `count` leaves if this one stands at `index` with this path."""
    require(index < count, "MALFORMED")
    rest = list(path)
    node = network.digest(b"\0" + leaf)
    last = count - 1
    while last:
        if index % 2 or index < last:
            require(bool(rest), "MALFORMED")
            sibling = rest.pop(0)
            pair = sibling + node if index % 2 else node + sibling
            node = network.digest(b"\1" + pair)
        index, last = index // 2, last // 2
    require(not rest, "MALFORMED")
    return node


def verify(raw: bytes, trusted: bytes | None = None) -> dict:
    """Verify a file; returns what it proves."""
    require(len(raw) <= FILE_BYTES_MAX, "TOO_LARGE")
    name, version, genesis, hand_overs, header_raw, seals, index, envelope, *rest = read(FILE, raw)
    tx_path, receipt_raw, receipt_path = rest
    require(name == "hansa-receipt", "MALFORMED")
    require(version == 1 and not hand_overs, "UNSUPPORTED_VERSION")
    require(len(tx_path) <= PATH_MAX and len(receipt_path) <= PATH_MAX, "TOO_MANY")
    network = check_genesis(genesis)
    require(trusted in (None, network.genesis_hash), "SIGNATURE")
    header = read(HEADER, header_raw)
    require(header[0] == 1, "UNSUPPORTED_VERSION")
    keys = [[suite, key] for suite, key, _ in seals]
    is_known = all(key in network.document[6] and keys.count(key) == 1 for key in keys)
    require(bool(keys) and is_known, "SIGNATURE")
    for suite, key, signature in seals:
        message = network.prefix("header") + header_raw
        require(verifies(suite, key, signature, message), "SIGNATURE")
    found = check_envelope(network, envelope)
    count = header[9]
    require(follow(network, found.hash, index, count, tx_path) == header[4], "MALFORMED")
    receipt = read(RECEIPT, receipt_raw)
    require(receipt[0] == found.tx_id, "MALFORMED")
    require(follow(network, receipt_raw, index, count, receipt_path) == header[5], "MALFORMED")
    return {
        "genesis_hash": network.genesis_hash.hex(),
        "header_hash": network.header_hash(header_raw).hex(),
        "height": header[1],
        "index": index,
        "tx_id": found.tx_id.hex(),
        "status": receipt[1],
        "code": receipt[2],
    }
