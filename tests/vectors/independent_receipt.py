"""A verifier of receipt files, from docs/reference/receipt-file.md alone, with no line of Hansa."""

from __future__ import annotations

from tests.vectors.independent import (
    ADDRESS,
    ANY_INT,
    COUNT,
    HASH,
    HEADER,
    INT64_MAX,
    TIME,
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
    unpack,
    verifies,
)
from tests.vectors.independent_light import VOTES, check_votes

FILE_BYTES_MAX = 4_194_304
PATH_MAX = 64
SEAL = fields(ANY_INT, binary(), binary())
PLACE = (COUNT, binary(), array(HASH), binary(), array(HASH))
SEALED = fields(text, COUNT, binary(), array(binary()), binary(), array(SEAL), *PLACE)
VOTED = fields(text, COUNT, binary(), binary(), VOTES, *PLACE)
EVENT = fields(text, text, lambda value: type(value) is list and plain(value))
RECEIPT = fields(HASH, integer(0, 2), text, COUNT, array(EVENT))
POSITIVE = integer(1, INT64_MAX)
LIMITS_LEAST = [512, 1_024, 1, 1, 1, 16, 8, 8]
LIMITS_MOST = [2**20, 2**24, 2**16, 256, 256, 2**20, 2**16, 2**16]
BATCH_FRAME = 256
TIME_LAST = 4_102_444_800_000
LIMITS = [POSITIVE] * 8
SEALER = fields(POSITIVE, binary())
KEY = [ADDRESS, COUNT, integer(1, 2**32), COUNT]


def letters(most: int):
    return lambda value: text(value) and 1 <= len(value) <= most


def from_field(first: int, kinds: list, *, is_open: bool = False):
    """An array whose fields from `first` on may be left out, and with `is_open` be too many."""
    return lambda value: (
        type(value) is list
        and first <= len(value)
        and (is_open or len(value) <= len(kinds))
        and all(kind(item) for kind, item in zip(kinds, value, strict=False))
    )


ASSET = [letters(24), text, ADDRESS, text, COUNT]


def shorter(kind, most: int):
    return lambda value: kind(value) and len(value) <= most


KEY_OR_NONE = shorter(binary(), 32)
NODE = fields(ADDRESS, KEY_OR_NONE, shorter(array(binary(20)), 8), KEY_OR_NONE, shorter(text, 96))


def genesis(limits, key, asset, whole):
    member = fields(ADDRESS, letters(64), array(text), COUNT, array(key), POSITIVE)
    return whole(
        POSITIVE,
        letters(64),
        TIME,
        text,
        array(ANY_INT),
        limits,
        array(SEALER),
        array(member),
        array(asset),
        array(fields(letters(96), array(ANY_INT))),
        array(fields(letters(64), POSITIVE, HASH)),
        array(NODE),
    )


WHOLE = genesis(fields(*LIMITS), fields(*KEY), fields(*ASSET), fields)
NOT_WHOLE = genesis(
    from_field(0, LIMITS),
    from_field(2, KEY, is_open=True),
    from_field(4, ASSET),
    lambda *kinds: from_field(11, kinds),
)


def check_genesis(raw: bytes) -> Network:
    """Read and check a genesis document."""
    document = read(NOT_WHOLE, raw)
    require(WHOLE(document), "NOT_CANONICAL")
    version, _, time_ms, name, suites, limits, sealers, members, *_, nodes = document
    require(version == 1, "UNSUPPORTED_VERSION")
    require(name in ("sha256", "sm3") and time_ms <= TIME_LAST, "MALFORMED")
    keyed = {member for member, key, *_ in nodes if key}
    can_vote = any(member[3] for member in members if member[0] in keyed)
    require(not keyed if sealers else can_vote, "MALFORMED")
    bounds = zip(LIMITS_LEAST, limits, LIMITS_MOST, strict=True)
    require(all(least <= value <= most for least, value, most in bounds), "MALFORMED")
    require(limits[1] >= limits[0] + BATCH_FRAME, "MALFORMED")
    require(suites != [] and {1, 2, 3}.issuperset(suites), "SUITE")
    require(len(set(suites)) == len(suites), "SUITE")
    for suite, key in sealers:
        check_key(suite, key)
    check_nodes(nodes, {member[0] for member in members})
    return Network(raw)


def check_nodes(nodes: list, members: set[bytes]) -> None:
    taken: list[tuple] = []
    for member, consensus_key, peers, channel_key, url in nodes:
        if consensus_key:
            check_key(1, consensus_key)
            taken.append(("key", consensus_key))
        require(len(channel_key) in (0, 32) and member in members, "MALFORMED")
        is_url = url.startswith(("http://", "https://")) and all(32 < ord(c) < 127 for c in url)
        require(url == "" or is_url, "MALFORMED")
        taken += [("member", member), *(("peer", peer) for peer in peers)]
        require(len(set(taken)) == len(taken), "MALFORMED")


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


def open_file(raw: bytes) -> tuple[bool, list]:
    """Read a file of either version; says whether it is of a voted network."""
    require(len(raw) <= FILE_BYTES_MAX, "TOO_LARGE")
    document = unpack(raw)
    is_long = type(document) is list and len(document) > 1
    if is_long and document[0] == "hansa-receipt" and COUNT(document[1]):
        require(document[1] in (1, 2), "UNSUPPORTED_VERSION")
        if document[1] == 2:
            return True, read(VOTED, raw)[2:]
    document = read(SEALED, raw)
    require(document[0] == "hansa-receipt", "MALFORMED")
    require(not document[3], "UNSUPPORTED_VERSION")
    return False, document[2:]


def check_seals(network: Network, header: bytes, seals: list) -> None:
    keys = [[suite, key] for suite, key, _ in seals]
    is_known = all(key in network.document[6] and keys.count(key) == 1 for key in keys)
    require(bool(keys) and is_known, "SIGNATURE")
    for suite, key, signature in seals:
        require(verifies(suite, key, signature, network.prefix("header") + header), "SIGNATURE")


def verify(raw: bytes, trusted: bytes | None = None, checkpoint: bytes | None = None) -> dict:
    """Verify a file; returns what it proves."""
    is_voted, document = open_file(raw)
    genesis, *signed, index, envelope, tx_path, receipt_raw, receipt_path = document
    require(len(tx_path) <= PATH_MAX and len(receipt_path) <= PATH_MAX, "TOO_MANY")
    network = check_genesis(genesis)
    require(trusted in (None, network.genesis_hash), "SIGNATURE")
    header_raw = signed[0] if is_voted else signed[1]
    header = read(HEADER, header_raw)
    require(header[0] == 1, "UNSUPPORTED_VERSION")
    if is_voted:
        check_votes(network, header_raw, signed[1], checkpoint)
    else:
        require(checkpoint is None, "SIGNATURE")
        check_seals(network, header_raw, signed[2])
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
