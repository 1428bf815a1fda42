"""Bytes to throw at decoders: MessagePack in every form, and valid documents slightly spoilt."""

from __future__ import annotations

import json
import struct
from pathlib import Path

from hypothesis import strategies as st

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
LENGTHS = {"bin": (None, 0xC4, 0xC5, 0xC6), "str": (0xA0, 0xD9, 0xDA, 0xDB)}
LENGTHS |= {"array": (0x90, None, 0xDC, 0xDD), "map": (0x80, None, 0xDE, 0xDF)}
SHORT_MAX = {"str": 31, "array": 15, "map": 15}
TOKENS = (
    b"\xc1",
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xdb\xff\xff\xff\xff",
    b"\xc9\xff\xff\xff\xff\x01",
    b"\xcb\x7f\xf8" + bytes(6),
    b"\xca" + bytes(4),
    b"\xcf" + b"\xff" * 8,
    b"\xd3\x80" + bytes(7),
    b"\xd7\xff" + b"\xff" * 8,
    b"\xd6\xff" + bytes(4),
    b"\xa1\xff",
    b"\xa3\xed\xa0\x80",
    b"\x91" * 40,
    b"\x81" * 40,
    b"\x82\x01\x01\x01\x02",
    b"\x81\x90\x01",
    b"\xcc\x01",
    b"\xd0\x01",
)
"""What decoders stumble over: huge claims, not-a-number, bad text, depth, wide forms."""


def _head(kind: str, length: int, width: int) -> bytes:
    """The header of a value, in the chosen width if it has that one and the length fits."""
    marks = LENGTHS[kind]
    if width == 0 and marks[0] is not None and length <= SHORT_MAX[kind]:
        return bytes([marks[0] | length])
    if width <= 1 and marks[1] is not None and length < 256:
        return bytes([marks[1], length])
    if width <= 2:
        return bytes([marks[2]]) + length.to_bytes(2, "big")
    return bytes([marks[3]]) + length.to_bytes(4, "big")


WIDTHS = st.sampled_from([0, 0, 0, 0, 1, 2, 3])
SIZES = st.sampled_from([0, 1, 15, 16, 31, 32, 33, 63, 64, 65])
INTEGERS = st.one_of(
    st.integers(0, 127).map(lambda n: bytes([n])),
    st.integers(-32, -1).map(lambda n: bytes([n & 255])),
    st.integers(0, 2**64 - 1).map(lambda n: b"\xcf" + n.to_bytes(8, "big")),
    st.integers(-(2**63), 2**63 - 1).map(lambda n: b"\xd3" + n.to_bytes(8, "big", signed=True)),
    st.integers(0, 255).map(lambda n: bytes([0xCC, n])),
    st.integers(0, 2**16 - 1).map(lambda n: b"\xcd" + n.to_bytes(2, "big")),
    st.integers(0, 2**32 - 1).map(lambda n: b"\xce" + n.to_bytes(4, "big")),
)
SCALARS = st.one_of(
    INTEGERS,
    st.sampled_from([b"\xc0", b"\xc2", b"\xc3"]),
    st.floats().map(lambda x: b"\xcb" + struct.pack(">d", x)),
    st.tuples(SIZES, WIDTHS).map(lambda t: _head("bin", t[0], max(1, t[1])) + bytes(t[0])),
    st.tuples(st.text(max_size=40), WIDTHS).map(
        lambda t: _head("str", len(t[0].encode()), t[1]) + t[0].encode()
    ),
    st.binary(max_size=8).map(lambda raw: bytes([0xC7, len(raw), 5]) + raw),
    st.sampled_from(TOKENS),
)


def _containers(inner):
    arrays = st.tuples(st.lists(inner, max_size=6), WIDTHS)
    pairs = st.tuples(st.lists(st.tuples(inner, inner), max_size=3), WIDTHS)
    return st.one_of(
        arrays.map(lambda t: _head("array", len(t[0]), t[1]) + b"".join(t[0])),
        pairs.map(
            lambda t: _head("map", len(t[0]), t[1]) + b"".join(key + value for key, value in t[0])
        ),
        inner.map(lambda raw: _head("bin", len(raw), 2) + raw),
    )


MESSAGE_PACK = st.recursive(SCALARS, _containers, max_leaves=24)
"""One value in any form, canonical or not, of any kind."""


def _collect(value, found: list[bytes]) -> None:
    if isinstance(value, dict):
        for item in value.values():
            _collect(item, found)
    elif isinstance(value, list):
        for item in value:
            _collect(item, found)
    elif isinstance(value, str) and 20 < len(value) < 20_000:
        try:
            found.append(bytes.fromhex(value))
        except ValueError:
            return


def read_seeds(*names: str) -> list[bytes]:
    """Every byte string of these files of vectors: documents that are valid, or nearly."""
    found: list[bytes] = []
    for name in names:
        _collect(json.loads((VECTORS / name).read_text()), found)
    return sorted(set(found))


@st.composite
def spoilt(draw, seeds: list[bytes]) -> bytes:
    """A document with one to four small changes."""
    raw = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(raw) - 1)))
        end = at + draw(st.integers(1, 9))
        change = draw(st.sampled_from(["flip", "delete", "insert", "repeat", "cut", "replace"]))
        if change == "flip" and raw:
            raw[at] ^= 1 << draw(st.integers(0, 7))
        elif change == "delete":
            del raw[at:end]
        elif change == "repeat":
            raw[at:at] = raw[at:end]
        elif change == "cut":
            del raw[at:]
        else:
            token = draw(st.one_of(st.sampled_from(TOKENS), MESSAGE_PACK, st.binary(max_size=9)))
            raw[at : end if change == "replace" else at] = token
    return bytes(raw)


def inputs(seeds: list[bytes]):
    """Random bytes, well-formed MessagePack, and spoilt documents."""
    return st.one_of(st.binary(max_size=200), MESSAGE_PACK, spoilt(seeds), spoilt(seeds))
