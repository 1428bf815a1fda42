"""The few protobuf fields that CometBFT hashes and signs, written and never read.

As proto3 writes them: in order of their numbers, and nothing for a number that is zero or for
bytes that are empty. Only a message that must be there is written although it is empty.

Source: https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

_VARINT, _FIXED64, _LENGTH = 0, 1, 2
"""Wire types."""
_64_BITS = 2**64 - 1


def write_varint(number: int) -> bytes:
    """Write 0 to 2^64 - 1 in groups of seven bits, the lowest first."""
    groups = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def write_number(field: int, number: int) -> bytes:
    """Write a field of type int32, int64, uint32, uint64 or enum; negative in two's complement."""
    return _write_tag(field, _VARINT) + write_varint(number & _64_BITS) if number else b""


def write_fixed(field: int, number: int) -> bytes:
    """Write a field of type sfixed64; none is negative here."""
    return _write_tag(field, _FIXED64) + number.to_bytes(8, "little") if number else b""


def write_bytes(field: int, raw: bytes) -> bytes:
    """Write a field of type bytes or string."""
    return write_message(field, raw) if raw else b""


def write_message(field: int, raw: bytes) -> bytes:
    """Write a field that holds a message, an empty one too."""
    return _write_tag(field, _LENGTH) + write_delimited(raw)


def write_delimited(raw: bytes) -> bytes:
    """Write a message behind its length."""
    return write_varint(len(raw)) + raw


def _write_tag(field: int, wire_type: int) -> bytes:
    return write_varint(field << 3 | wire_type)
