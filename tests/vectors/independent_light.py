"""What CometBFT signed, from docs/reference/light.md alone, with no line of Hansa."""

from __future__ import annotations

import hashlib

from tests.vectors.independent import (
    COUNT,
    HASH,
    Bad,
    Network,
    array,
    binary,
    fields,
    integer,
    read,
    text,
    verifies,
)

POWER_MAX = 2**60 - 1
VALIDATORS_MAX = 256


def most(kind, size: int, least: int = 0):
    return lambda value: kind(value) and least <= len(value) <= size


SHORT, COUNT_31 = most(binary(), 32), integer(0, 2**31 - 1)
MOMENT = fields(integer(-62_135_596_800, 253_402_300_799), integer(0, 999_999_999))
PARTS = fields(COUNT_31, SHORT)
BLOCK = fields(SHORT, PARTS)
HEADER = fields(
    COUNT, COUNT, most(text, 50, 1), integer(1, 2**63 - 1), MOMENT, BLOCK,
    SHORT, SHORT, HASH, HASH, SHORT, SHORT, SHORT, SHORT, SHORT,
)  # fmt: skip
VOTE = fields(integer(0, VALIDATORS_MAX - 1), MOMENT, binary(64))
SIGNED = fields(HEADER, COUNT_31, PARTS, most(array(VOTE), VALIDATORS_MAX))
VALIDATOR = fields(binary(32), integer(1, POWER_MAX))


def sound(document) -> bool:
    """Whether a set is one that CometBFT makes."""
    if not fields(most(array(VALIDATOR), VALIDATORS_MAX, 1))(document):
        return False
    ranks = [(-power, address(key)) for key, power in document[0]]
    keys = {key for key, _ in document[0]}
    return (
        ranks == sorted(set(ranks))
        and len(keys) == len(ranks)
        and sum(power for _, power in document[0]) <= POWER_MAX
    )


HAND_OVER = fields(SIGNED, sound)
VOTES = fields(array(HAND_OVER), SIGNED)
CHECKPOINT = fields(text, COUNT, HASH, integer(1, 2**63 - 1), MOMENT, sound, HASH)


def address(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()[:20]


# --- protobuf -----------------------------------------------------------------------------------


def varint(number: int) -> bytes:
    if number < 128:
        return bytes([number])
    return bytes([number % 128 + 128]) + varint(number // 128)


def number(at: int, value: int) -> bytes:
    return varint(8 * at) + varint(value % 2**64) if value else b""


def fixed(at: int, value: int) -> bytes:
    return varint(8 * at + 1) + value.to_bytes(8, "little") if value else b""


def message(at: int, raw: bytes) -> bytes:
    return varint(8 * at + 2) + varint(len(raw)) + raw


def some(at: int, raw: bytes) -> bytes:
    return message(at, raw) if raw else b""


def moment(value: list) -> bytes:
    return number(1, value[0]) + number(2, value[1])


def block(name: bytes, parts: list) -> bytes:
    return some(1, name) + message(2, number(1, parts[0]) + some(2, parts[1]))


# --- hashes -------------------------------------------------------------------------------------


def root(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root(leaves[:split]) + root(leaves[split:])).digest()


def header_hash(header: list) -> bytes:
    block_version, app_version, chain_id, height, time, last, *hashes = header
    return root(
        [
            number(1, block_version) + number(2, app_version),
            some(1, chain_id.encode()),
            number(1, height),
            moment(time),
            block(*last),
            *(some(1, each) for each in hashes),
        ]
    )


def set_hash(document: list) -> bytes:
    return root([message(1, message(1, key)) + number(2, power) for key, power in document[0]])


def signed_bytes(signed: list, time: list) -> bytes:
    header, round_, parts, _ = signed
    raw = number(1, 2) + fixed(2, header[3]) + fixed(3, round_)
    raw += message(4, block(header_hash(header), parts)) + message(5, moment(time))
    raw += some(6, header[2].encode())
    return varint(len(raw)) + raw


# --- verification -------------------------------------------------------------------------------


def require(condition: bool, code: str) -> None:
    if not condition:
        raise Bad(code)


def begin(network: Network) -> tuple[int, list]:
    """Height and validators of genesis."""
    document = network.document
    require(document[6] == [], "SIGNATURE")
    weights = {member[0]: member[3] for member in document[7]}
    found = [[node[1], weights[node[0]]] for node in document[11] if node[1] and weights[node[0]]]
    require(len(found) <= VALIDATORS_MAX, "TOO_MANY")
    require(all(power <= POWER_MAX for _, power in found), "MALFORMED")
    ordered = [sorted(found, key=lambda each: (-each[1], address(each[0])))]
    require(sound(ordered), "MALFORMED")
    return 1, ordered


def check_signed(now: tuple[int, list], signed: list, chain_id: str) -> set[bytes]:
    """Check a header; returns the keys that signed it."""
    height, known = now
    header, _, _, votes = signed
    require(header[3] >= height, "MALFORMED")
    require(header[0] == 11, "UNSUPPORTED_VERSION")
    require(header[2] == chain_id and header[8] == set_hash(known), "SIGNATURE")
    indexes = [index for index, _, _ in votes]
    require(indexes == sorted(set(indexes)), "MALFORMED")
    require(all(index < len(known[0]) for index in indexes), "MALFORMED")
    power = 0
    for index, time, signature in votes:
        key, weight = known[0][index]
        require(verifies(1, key, signature, signed_bytes(signed, time)), "SIGNATURE")
        power += weight
    require(3 * power > 2 * sum(weight for _, weight in known[0]), "SIGNATURE")
    return {known[0][index][0] for index in indexes}


def read_checkpoint(raw: bytes) -> tuple[bytes, int, list]:
    """Genesis hash, height and validators."""
    require(len(raw) <= 16_384, "TOO_LARGE")
    name, version, genesis_hash, height, _, known, checksum = read(CHECKPOINT, raw)
    require(name == "hansa-checkpoint", "MALFORMED")
    require(version == 1, "UNSUPPORTED_VERSION")
    require(checksum == hashlib.sha256(raw[:-32]).digest(), "MALFORMED")
    return genesis_hash, height, known


def check_votes(network: Network, header: bytes, votes: list, checkpoint: bytes | None) -> int:
    """Check votes on a header of Hansa; returns the height of CometBFT that they are for."""
    now = begin(network)
    if checkpoint is not None:
        genesis_hash, height, known = read_checkpoint(checkpoint)
        require(genesis_hash == network.genesis_hash, "SIGNATURE")
        now = height, known
    hand_overs, signed = votes
    require(signed[0][11] == network.header_hash(header), "SIGNATURE")
    chain_id = "hansa-" + network.genesis_hash.hex()[:40]
    while hand_overs and hand_overs[0][0][0][3] < now[0]:
        hand_overs = hand_overs[1:]
    for last, following in hand_overs:
        height, known = now
        if last[0][8] == set_hash(following):  # a leap
            require(last[0][3] >= height, "MALFORMED")
            keys = check_signed((last[0][3], following), last, chain_id)
            power = sum(weight for key, weight in known[0] if key in keys)
            require(3 * power > 2 * sum(weight for _, weight in known[0]), "SIGNATURE")
            now = last[0][3], following
            continue
        check_signed(now, last, chain_id)
        require(last[0][9] == set_hash(following), "MALFORMED")
        now = last[0][3] + 1, following
    check_signed(now, signed, chain_id)
    return signed[0][3]
