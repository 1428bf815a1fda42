"""Input made to eat memory or time, against each decoder, under limits of the operating system.

Run as a program: it exits with an error if a decoder lets a foreign exception out, and is killed
if it needs more than 30 s of processor time or `MEMORY_MAX` more than it began with.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
from tests.vectors.parts import NETWORKS, Forge

from hansa.kernel.block import decode_header, decode_receipt, decode_record
from hansa.kernel.crypto.address import from_text
from hansa.kernel.crypto.signatures import verify_many
from hansa.kernel.encoding import encode
from hansa.kernel.errors import HansaError, Invalid
from hansa.kernel.genesis import Limits, Network, decode_genesis
from hansa.kernel.receipt_file import FILE_BYTES_MAX, verify_receipt_file
from hansa.kernel.transaction import build_checked, check_batch, check_envelope

MEMORY_MAX = 640 << 20
"""An empty array takes one byte where it is sent and 64 in memory, so what is read whole may take
400 MB; more than half as much again is for how memory happens to be cut."""
PROCESSOR_S = 30
SIZE = Limits().batch_bytes
HEADS = (b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff")
EMPTY_ITEM = b"\x92\xc4\x00\xc0"


def make_bombs(size: int) -> Iterator[bytes]:
    """Make strings of `size` bytes that cost a careless reader many times as much."""
    fillings = (b"\x91", b"\x81", b"\x90", b"\x80", b"\xc0", EMPTY_ITEM, b"\x00", b"\xff")
    for filling in fillings:
        count = (size - 100) // len(filling)
        body = filling * count
        array = b"\xdd" + count.to_bytes(4, "big") + body
        yield body
        yield array
        yield b"\x93\x01\xc4\x20" + bytes(32) + array
        for head in HEADS:
            yield head + body
    yield b"\xdb" + (size - 100).to_bytes(4, "big") + b"\xff" * (size - 100)


def throw(bomb: bytes, network: Network) -> None:
    """Throw one bomb at every decoder."""
    forge = Forge(network)
    wrapped = encode([bomb, 1, forge.key("ann").public_key, bytes(64)])
    for raw in (bomb, wrapped):
        verdict = check_batch(raw, network, verify_many)
        if verdict.rejected is None:
            raise AssertionError(raw[:9].hex())
    for decode in (
        decode_genesis,
        decode_header,
        decode_receipt,
        decode_record,
        verify_receipt_file,
    ):
        with suppress(HansaError):
            decode(bomb)
    with suppress(Invalid):
        check_envelope(bomb, network)
    with suppress(Invalid):
        from_text(bomb.decode("latin-1"))


def fill_batch(network: Network) -> None:
    """A batch with as many items as may be, each as bad as may be, signed properly."""
    forge = Forge(network)
    deep = forge.seal(encode(forge.fields(forge.key("ann")))[:-1] + b"\x91" * 700)
    raw = forge.batch(*[deep] * Limits().batch_items)
    items = build_checked(raw, check_batch(raw, network, verify_many), network).items
    if not all(isinstance(item, Invalid) for item in items):
        raise AssertionError("a bomb was accepted")


def main() -> None:
    network = Network.of(msgspec.structs.replace(NETWORKS["vectors"].genesis, limits=Limits()))
    begin = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (begin + MEMORY_MAX, begin + MEMORY_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_S, PROCESSOR_S))
    for bomb in make_bombs(min(SIZE, FILE_BYTES_MAX)):
        throw(bomb, network)
    fill_batch(network)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(usage.ru_maxrss // 1024, "MB", round(usage.ru_utime, 1), "s")  # noqa: T201 - a program


if __name__ == "__main__":
    main()
