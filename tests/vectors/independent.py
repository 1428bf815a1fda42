"""Hansa's formats once more, from docs/reference alone: nothing of Hansa is imported here.

It reads and checks genesis, envelopes and batches, and computes ids, roots and hashes with
`hashlib` and a MessagePack reader of its own. What it says must be what `hansa.kernel` says: that
is the proof that wire.md, trees.md and keys.md suffice. Signatures are checked by OpenSSL.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from itertools import groupby

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

INT64_MAX = 2**63 - 1
TIME_MAX = 2**53
ARRAYS_IN_ARGUMENTS = 8
ARRAYS_IN_DOCUMENTS = 12
ORDERS = {
    2: 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    3: 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
}
CURVES = {2: ec.SECP256R1(), 3: ec.SECP256K1()}
ED25519_PRIME = 2**255 - 19
SMALL_ORDER_Y = (
    0,
    1,
    ED25519_PRIME - 1,
    0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
    0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
)


class Bad(Exception):  # noqa: N818 - it is what the input is
    """The input must be refused, with this code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


# --- MessagePack --------------------------------------------------------------------------------


class Odd:
    """A value that no Hansa document holds: a float, a map, an extension."""


def pack(value) -> bytes:
    """Write a value in its shortest form."""
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, int):
        return _pack_int(value)
    if isinstance(value, bytes):
        return _pack_length(len(value), None, (0xC4, 0xC5, 0xC6)) + value
    if isinstance(value, str):
        raw = value.encode()
        return _pack_length(len(raw), (0xA0, 32), (0xD9, 0xDA, 0xDB)) + raw
    return _pack_length(len(value), (0x90, 16), (None, 0xDC, 0xDD)) + b"".join(map(pack, value))


def _pack_int(value: int) -> bytes:
    if -32 <= value < 128:
        return (value & 0xFF).to_bytes(1, "big")
    for power, marks in enumerate(((0xCC, 0xD0), (0xCD, 0xD1), (0xCE, 0xD2), (0xCF, 0xD3))):
        size = 1 << power
        if value >= 0 and value < 1 << 8 * size:
            return bytes([marks[0]]) + value.to_bytes(size, "big")
        if value < 0 and value >= -(1 << 8 * size - 1):
            return bytes([marks[1]]) + value.to_bytes(size, "big", signed=True)
    raise OverflowError(value)


def _pack_length(length: int, short, marks) -> bytes:
    if short and length < short[1]:
        return bytes([short[0] | length])
    for size, mark in zip((1, 2, 4), marks, strict=True):
        if mark is not None and length < 1 << 8 * size:
            return bytes([mark]) + length.to_bytes(size, "big")
    raise OverflowError(length)


def unpack(raw: bytes):
    """Read one value that fills `raw`, in whatever form its parts are written."""
    value, end = _read(raw, 0, 0)
    if end != len(raw):
        raise Bad("MALFORMED")
    return value


_NUMBERS = {0xCC: (1, False), 0xCD: (2, False), 0xCE: (4, False), 0xCF: (8, False)}
_NUMBERS |= {0xD0: (1, True), 0xD1: (2, True), 0xD2: (4, True), 0xD3: (8, True)}
_BYTES = {0xC4: 1, 0xC5: 2, 0xC6: 4}
_TEXTS = {0xD9: 1, 0xDA: 2, 0xDB: 4}
_ARRAYS = {0xDC: 2, 0xDD: 4}
_MAPS = {0xDE: 2, 0xDF: 4}
_FLOATS = {0xCA: 4, 0xCB: 8}
_EXTENSIONS = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}
_LONG_EXTENSIONS = {0xC7: 1, 0xC8: 2, 0xC9: 4}


def _take(raw: bytes, at: int, size: int) -> tuple[bytes, int]:
    if at + size > len(raw):
        raise Bad("MALFORMED")
    return raw[at : at + size], at + size


def _take_number(raw: bytes, at: int, size: int) -> tuple[int, int]:
    taken, at = _take(raw, at, size)
    return int.from_bytes(taken, "big"), at


def _read(raw: bytes, at: int, depth: int):
    if depth > ARRAYS_IN_DOCUMENTS:
        raise Bad("MALFORMED")
    mark, at = _take_number(raw, at, 1)
    if mark < 0x80 or mark >= 0xE0:
        return (mark if mark < 0x80 else mark - 256), at
    if mark in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[mark], at
    if mark in _NUMBERS:
        size, is_signed = _NUMBERS[mark]
        taken, at = _take(raw, at, size)
        return int.from_bytes(taken, "big", signed=is_signed), at
    if mark in _BYTES:
        size, at = _take_number(raw, at, _BYTES[mark])
        return _take(raw, at, size)
    if mark >> 5 == 0b101 or mark in _TEXTS:
        size, at = (mark & 31, at) if mark < 0xC0 else _take_number(raw, at, _TEXTS[mark])
        taken, at = _take(raw, at, size)
        try:
            return taken.decode(), at
        except UnicodeDecodeError:
            raise Bad("MALFORMED") from None
    if mark >> 4 == 9 or mark in _ARRAYS:
        count, at = (mark & 15, at) if mark < 0xC0 else _take_number(raw, at, _ARRAYS[mark])
        values = []
        for _ in range(count):
            value, at = _read(raw, at, depth + 1)
            values.append(value)
        return values, at
    return Odd(), _skip(raw, at, mark, depth)


def _skip(raw: bytes, at: int, mark: int, depth: int) -> int:
    if mark >> 4 == 8 or mark in _MAPS:
        count, at = (mark & 15, at) if mark < 0xC0 else _take_number(raw, at, _MAPS[mark])
        for _ in range(2 * count):
            _, at = _read(raw, at, depth + 1)
        return at
    if mark in _LONG_EXTENSIONS:
        size, at = _take_number(raw, at, _LONG_EXTENSIONS[mark])
        return _take(raw, at, size + 1)[1]
    size = _FLOATS.get(mark) or _EXTENSIONS.get(mark, -1) + 1
    if not size:
        raise Bad("MALFORMED")
    return _take(raw, at, size)[1]


# --- types --------------------------------------------------------------------------------------


def integer(low: int, high: int):
    return lambda value: type(value) is int and low <= value <= high


def binary(size: int | None = None):
    return lambda value: type(value) is bytes and (size is None or len(value) == size)


def text(value) -> bool:
    return type(value) is str


def array(kind):
    return lambda value: type(value) is list and all(map(kind, value))


def fields(*kinds):
    return lambda value: (
        type(value) is list
        and len(value) == len(kinds)
        and all(kind(item) for kind, item in zip(kinds, value, strict=True))
    )


def plain(value, depth: int = 0) -> bool:
    """Whether arguments hold only what documents hold, nested at most eight arrays deep."""
    if type(value) is list:
        return depth <= ARRAYS_IN_ARGUMENTS and all(plain(item, depth + 1) for item in value)
    return not isinstance(value, Odd)


ANY_INT = integer(-(2**63), 2**64 - 1)
COUNT, TIME = integer(0, INT64_MAX), integer(0, TIME_MAX)
POSITIVE = integer(1, INT64_MAX)
HASH, ADDRESS, NONCE = binary(32), binary(32), binary(16)
BODY = fields(
    COUNT,
    array(ADDRESS),
    NONCE,
    TIME,
    array(fields(text, text, lambda value: type(value) is list and plain(value))),
)
ENVELOPE = fields(binary(), array(fields(ANY_INT, binary(), binary())))
ITEM = fields(binary(), lambda value: value is None or HASH(value))
BATCH = fields(binary(), ANY_INT, binary(), binary())
BATCH_BODY = fields(ANY_INT, ADDRESS, array(ITEM))
HEADER = fields(COUNT, COUNT, TIME, HASH, HASH, HASH, HASH, COUNT, HASH, COUNT, HASH)


def read(kind, raw: bytes):
    """Read a canonical document of one type."""
    value = unpack(raw)
    if not kind(value):
        raise Bad("MALFORMED")
    if pack(value) != raw:
        raise Bad("NOT_CANONICAL")
    return value


# --- hashes, ids and roots ----------------------------------------------------------------------


@dataclass
class Network:
    """What a genesis document says, as far as the kernel asks."""

    raw: bytes
    digest: object = None
    genesis_hash: bytes = b""
    suites: list = field(default_factory=list)
    limits: list = field(default_factory=list)

    def __post_init__(self) -> None:
        document = unpack(self.raw)
        name = document[3]
        self.digest = lambda data: hashlib.new(name, data).digest()
        self.genesis_hash = self.digest(b"hansa\0genesis\0" + self.raw)
        self.document, self.suites, self.limits = document, document[4], document[5]

    def prefix(self, domain: str) -> bytes:
        return b"hansa\0" + domain.encode() + b"\0" + self.genesis_hash

    def address(self, suite: int, public_key: bytes) -> bytes:
        return self.digest(b"hansa\0address\0" + bytes([suite]) + public_key)

    def tx_id(self, body: bytes) -> bytes:
        return self.digest(self.prefix("tx") + body)

    def header_hash(self, header: bytes) -> bytes:
        return self.digest(self.prefix("header") + header)

    def list_root(self, items: list[bytes]) -> bytes:
        """The root of the list tree, by the recursive definition."""
        if len(items) < 2:
            return self.digest(b"\0" + items[0]) if items else self.digest(b"")
        split = 1 << (len(items) - 1).bit_length() - 1
        left, right = self.list_root(items[:split]), self.list_root(items[split:])
        return self.digest(b"\1" + left + right)

    def state_root(self, rows: dict[bytes, bytes]) -> bytes:
        """The root of the state tree over all rows, by key."""
        hashed = sorted((self.place(key), self.digest(row)) for key, row in rows.items())
        return self.node(hashed, 0)[0]

    def place(self, key: bytes) -> bytes:
        """Where a row stands: a byte of its table's two low halves, then the end of its hash."""
        return bytes([key[0] % 16 * 16 + key[1] % 16]) + self.digest(key)[1:]

    def node(self, entries, depth: int) -> tuple[bytes, int]:
        if len(entries) <= 16:
            bucket = b"\0" + b"".join(key + value for key, value in entries)
            return (self.digest(bucket) if entries else bytes(32)), len(entries)
        slots = dict.fromkeys(range(16), bytes(40))
        for nibble, group in groupby(entries, key=lambda entry: int(entry[0].hex()[depth], 16)):
            child, count = self.node(list(group), depth + 1)
            slots[nibble] = child + count.to_bytes(8, "big")
        return self.digest(b"\1" + b"".join(slots.values())), len(entries)


# --- signatures ---------------------------------------------------------------------------------


def check_key(suite: int, key: bytes) -> None:
    if suite == 1:
        y = int.from_bytes(key, "little") & (1 << 255) - 1
        if len(key) != 32 or y >= ED25519_PRIME or y in SMALL_ORDER_Y:
            raise Bad("PUBLIC_KEY")
        return
    try:
        if suite not in CURVES or len(key) != 33:
            raise Bad("PUBLIC_KEY")
        ec.EllipticCurvePublicKey.from_encoded_point(CURVES[suite], key)
    except ValueError:
        raise Bad("PUBLIC_KEY") from None


def verifies(suite: int, key: bytes, signature: bytes, message: bytes) -> bool:
    if len(signature) != 64:
        return False
    try:
        if suite == 1:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
            return True
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        if not (0 < r < ORDERS[suite] and 0 < s <= ORDERS[suite] // 2):
            return False
        point = ec.EllipticCurvePublicKey.from_encoded_point(CURVES[suite], key)
        point.verify(encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


# --- envelopes and batches ----------------------------------------------------------------------


@dataclass
class Envelope:
    """An envelope that needs nothing but state."""

    size: int
    tx_id: bytes
    hash: bytes
    body: list
    attestation: bytes | None = None


def require(condition: bool, code: str) -> None:
    if not condition:
        raise Bad(code)


def check_envelope(network: Network, raw: bytes) -> Envelope:
    """Do all stateless checks, in their order."""
    envelope_max, _, _, signers_max, calls_max = network.limits[:5]
    require(len(raw) <= envelope_max, "TOO_LARGE")
    body_raw, signatures = read(ENVELOPE, raw)
    body = read(BODY, body_raw)
    version, signers, _, _, calls = body
    require(version == 1, "UNSUPPORTED_VERSION")
    require(1 <= len(signers) <= signers_max, "TOO_MANY")
    require(1 <= len(calls) <= calls_max, "TOO_MANY")
    require(len({*signers}) == len(signers) == len(signatures), "SIGNERS")
    for signer, (suite, key, _) in zip(signers, signatures, strict=True):
        require(suite in network.suites, "SUITE")
        check_key(suite, key)
        require(network.address(suite, key) == signer, "SIGNERS")
    message = network.prefix("tx") + body_raw
    for suite, key, signature in signatures:
        require(verifies(suite, key, signature, message), "SIGNATURE")
    return Envelope(len(raw), network.tx_id(body_raw), network.digest(raw), body)


@dataclass
class Batch:
    """A batch that is good as a whole, with each item or the code that refuses it."""

    sponsor: bytes
    key_address: bytes
    items: list[Envelope | str]
    sizes: list[int]


def find_end(envelope: bytes) -> int | None:
    """Until when an envelope says to be valid, by its beginning alone."""
    try:
        mark, at = _take(envelope, 0, 2)
        if mark[0] != 0x92 or mark[1] not in _BYTES:
            return None
        _, at = _take(envelope, at, _BYTES[mark[1]])
        mark, at = _take(envelope, at, 3)
        if mark[:2] != b"\x95\x01" or not (mark[2] >> 4 == 9 or mark[2] == 0xDC):
            return None
        _, at = _take(envelope, at, 2 if mark[2] == 0xDC else 0)
        while envelope[at : at + 2] == b"\xc4\x20":
            _, at = _take(envelope, at, 34)
        nonce, at = _take(envelope, at, 18)
        mark, at = _take_number(envelope, at, 1)
        size, is_signed = _NUMBERS.get(mark, (0, mark >= 0x80))
        end = _take_number(envelope, at, size)[0] if size else mark
    except Bad:
        return None
    return end if nonce[:2] == b"\xc4\x10" and not is_signed and end <= TIME_MAX else None


def count_items(body: bytes) -> int:
    """How many items a batch body says to have, before they are read."""
    count, at = _take_count(body, 0)
    version, at = _read(body, at, 0)
    sponsor, at = _read(body, at, 0)
    require(count == 3 and ANY_INT(version) and binary(32)(sponsor), "MALFORMED")
    return _take_count(body, at)[0]


def _take_count(raw: bytes, at: int) -> tuple[int, int]:
    mark, at = _take_number(raw, at, 1)
    if mark >> 4 == 9:
        return mark & 15, at
    require(mark in _ARRAYS, "MALFORMED")
    return _take_number(raw, at, _ARRAYS[mark])


def check_batch(network: Network, raw: bytes) -> Batch:
    _, batch_max, items_max = network.limits[:3]
    require(len(raw) <= batch_max, "TOO_LARGE")
    body_raw, suite, key, signature = read(BATCH, raw)
    require(suite in network.suites, "SUITE")
    check_key(suite, key)
    require(verifies(suite, key, signature, network.prefix("batch") + body_raw), "SIGNATURE")
    require(1 <= count_items(body_raw) <= items_max, "TOO_MANY")
    version, sponsor, items = read(BATCH_BODY, body_raw)
    require(version == 1, "UNSUPPORTED_VERSION")
    checked: list[Envelope | str] = []
    for envelope, attestation in items:
        try:
            found = check_envelope(network, envelope)
            found.attestation = attestation
            checked.append(found)
        except Bad as bad:
            checked.append(bad.code)
    sizes = [len(envelope) for envelope, _ in items]
    return Batch(sponsor, network.address(suite, key), checked, sizes)
