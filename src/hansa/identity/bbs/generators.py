"""Generators: the points to which the messages of a signature are tied.

Each is a hash that begins from the one before, so that nobody knows a relation between them.

Source: draft-irtf-cfrg-bbs-signatures-08, section 4.1.1.
"""

from __future__ import annotations

from typing import NamedTuple

from py_arkworks_bls12381 import G1Point

from hansa.identity.bbs.ciphersuites import Ciphersuite
from hansa.identity.bbs.encoding import POINT_BYTES
from hansa.identity.faults import Fault, Unsound

MESSAGES_MAX = 1_024
"""In one signature; each asks for a generator, half a millisecond when first computed."""


class Generators(NamedTuple):
    """Points and their encodings, one after the other: Q1 for the domain, then one a message."""

    points: tuple[G1Point, ...]
    encoded: bytes


class _Line(NamedTuple):
    """All generators computed so far, and the seed of the last."""

    seed: bytes
    generators: Generators


_LINES: dict[str, _Line] = {}
"""By ciphersuite; replaced as a whole, so that threads need no lock."""


def get_generators(suite: Ciphersuite, message_count: int) -> Generators:
    """Return the generators for so many messages; those computed before are remembered.

    Raises:
      Unsound: `TOO_LARGE`: over `MESSAGES_MAX`.
    """
    if message_count > MESSAGES_MAX:
        raise Unsound(
            Fault.TOO_LARGE, f"{message_count} messages in one BBS signature, over {MESSAGES_MAX}"
        )
    count = 1 + message_count
    line = _LINES.get(suite.name)
    if line is None or len(line.generators.points) < count:
        line = _LINES[suite.name] = _extend(suite, line or _begin(suite), count)
    points, encoded = line.generators
    return Generators(points[:count], encoded[: count * POINT_BYTES])


def _begin(suite: Ciphersuite) -> _Line:
    return _Line(_expand(suite, suite.api_id + b"MESSAGE_GENERATOR_SEED"), Generators((), b""))


def _extend(suite: Ciphersuite, line: _Line, count: int) -> _Line:
    seed, generators = line
    points = [*generators.points]
    while len(points) < count:
        seed = _expand(suite, seed + (len(points) + 1).to_bytes(8, "big"))
        points.append(suite.hash_to_point(seed, b"SIG_GENERATOR_DST_"))
    encoded = b"".join(point.to_compressed_bytes() for point in points)
    return _Line(seed, Generators(tuple(points), encoded))


def _expand(suite: Ciphersuite, data: bytes) -> bytes:
    return suite.expand_message(data, suite.api_id + b"SIG_GENERATOR_SEED_", 48)
