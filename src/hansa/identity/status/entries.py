"""Entries: the status of many credentials, a few bits each, packed and compressed.

Packed as a Token Status List packs them, which is how the ledger has them too: the first entry in
the lowest bits of the first byte. What strangers compressed is expanded up to a bound, and no
further: a kilobyte could stand for a megabyte.

Source: draft-ietf-oauth-status-list, sections 4.1 and 7.1; RFC 1950; RFC 1952.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import msgspec

from hansa.contracts.identity.status import Bits, Status, find_place
from hansa.identity.faults import Fault, Unsound

ZLIB, GZIP = 15, 31
"""How the library calls the two forms around the same compression."""
EXPANDED_BYTES_MAX = 1 << 24
"""134 million entries of one bit."""

_LEVEL = 9
_BITS = frozenset(Bits)


class Entries(msgspec.Struct, frozen=True, gc=False):
    """A list's bytes, and how many bits of them an entry has."""

    bits: Bits
    content: bytes

    def __len__(self) -> int:
        """How many entries fit; the issuer may use fewer."""
        return len(self.content) * 8 // self.bits

    def get(self, index: int) -> int:
        """Get the status at an index, from 0.

        Raises:
          Unsound: `STATUS`: the list ends before it.
        """
        if not 0 <= index < len(self):
            raise Unsound(
                Fault.STATUS, f"the status list has {len(self)} entries, and none at {index}"
            )
        byte, shift = find_place(self.bits, index)
        return self.content[byte] >> shift & (1 << self.bits) - 1


def pack_entries(bits: Bits, length: int, statuses: Mapping[int, int]) -> Entries:
    """Pack the statuses at some indices; all others are valid.

    Raises:
      Unsound: `MALFORMED`: an index beyond the length, or a status that needs more bits.
    """
    content = bytearray((length * bits + 7) // 8)
    for index, status in statuses.items():
        if not 0 <= index < length or status >> bits:
            raise Unsound(
                Fault.MALFORMED,
                f"{length} entries of {bits} bits hold no status {status} at {index}",
            )
        byte, shift = find_place(bits, index)
        content[byte] |= status << shift
    return Entries(bits, bytes(content))


def read_bits(value: object) -> Bits:
    """Read how many bits an entry has.

    Raises:
      Unsound: `MALFORMED`: not 1, 2, 4 or 8.
    """
    if type(value) is not int or value not in _BITS:
        raise Unsound(Fault.MALFORMED, "entries of a status list have 1, 2, 4 or 8 bits")
    return Bits(value)


def verify_status(status: int) -> None:
    """Verify that a status of a Token Status List lets a credential count.

    Raises:
      Unsound: `REVOKED`, `SUSPENDED`, or `STATUS`: one whose meaning is not known here.
    """
    if status == Status.INVALID:
        raise Unsound(Fault.REVOKED, "the credential was revoked by its issuer")
    if status == Status.SUSPENDED:
        raise Unsound(Fault.SUSPENDED, "the credential is suspended by its issuer for now")
    if status != Status.VALID:
        raise Unsound(Fault.STATUS, f"the credential has the status {status}, not known here")


def compress(content: bytes, form: int) -> bytes:
    """Compress a list's bytes in the form `ZLIB` or `GZIP`; the same bytes give the same."""
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, form)
    return compressor.compress(content) + compressor.flush()


def expand(data: bytes, form: int, bytes_max: int = EXPANDED_BYTES_MAX) -> bytes:
    """Expand what `compress` wrote, holding no more than `bytes_max` at any time.

    Raises:
      Unsound: `TOO_LARGE`; `MALFORMED`: it is cut off, not of this form, or something follows it.
    """
    expander = zlib.decompressobj(form)
    try:
        content = expander.decompress(data, bytes_max + 1)
    except zlib.error:
        name = "gzip" if form == GZIP else "zlib"
        raise Unsound(
            Fault.MALFORMED, f"the status list cannot be expanded: it is broken, or not in {name}"
        ) from None
    if len(content) > bytes_max:
        raise Unsound(Fault.TOO_LARGE, f"the status list expands to over {bytes_max} bytes")
    if not expander.eof or expander.unused_data:
        raise Unsound(
            Fault.MALFORMED, "the compressed status list is cut off, or something follows it"
        )
    return content
