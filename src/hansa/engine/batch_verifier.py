"""Many Ed25519 signatures at once, where the library that `make verifier` builds is there.

Verifying many together takes half of the time that they take one by one, and by the rules of
ZIP-215 both find the same. The arithmetic is that of curve25519-voi, which CometBFT uses, too.

Source: verifier/main.go; https://zips.z.cash/zip-0215; docs/performance.md.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Sequence
from pathlib import Path
from struct import Struct

from hansa.kernel.crypto.signatures import (
    ED25519_KEY_BYTES,
    REFUSED_ED25519_KEYS,
    SIGNATURE_BYTES,
    SignatureCheck,
    Suite,
    VerifyMany,
    verify_many,
)
from hansa.kernel.errors import Unavailable
from hansa.tools import find_tool

VARIABLE = "HANSA_VERIFIER"

_LOG = logging.getLogger(__name__)
_ED25519 = int(Suite.ED25519)

INTERFACE = 1
"""Of the library, as it says itself: what it is given, and how."""
_KEY = bytes.fromhex("c0fa8ea6704c1a4de0c8c2d55b0640d5d3284d8b628a2619850e09e4d5b38c1b")
_MESSAGE = b"Hansa"
_HALVES = (
    ("01" + 30 * "00" + "80", "b616c479c0ad0af6353f9e8538284ae9f9766ffd43196ff6699b26aded5ba307"),
    (
        "7c96d0117a9248eea5d1fc0f4598ee671bf64633be3147691220333c457cc312",
        "8d2a3397b58d30ad952cdc8e60a3581a9c1565b0efbefaa6f43685c2fd37630f",
    ),
)
"""R and S of signatures that ZIP-215 accepts and others refuse: R in a second form, and R with a
part of small order; tests/unit/kernel/crypto/test_ed25519.py makes them."""
_ORDER = 2**252 + 27742317777372353535851937790883648493
_TRIALS = tuple(
    SignatureCheck(_ED25519, _KEY, bytes.fromhex(r) + s.to_bytes(32, "little"), message)
    for r, s in ((r, int.from_bytes(bytes.fromhex(s), "little")) for r, s in _HALVES)
    for s, message in ((s, _MESSAGE), (s + _ORDER, _MESSAGE), (s, b""))
)
_FOUND = [True, False, False] * len(_HALVES)


def find_library() -> Path | None:
    """Find the library: HANSA_VERIFIER, else `.tools/lib` of this checkout; None if there is none.

    Raises:
      NotFound: the variable names no file.
    """
    return find_tool(VARIABLE, "lib/libhansa_verifier.so")


def load_verify_many(path: Path | None) -> VerifyMany:
    """Load the library into this process; without one, signatures are verified one by one.

    The same where it cannot be loaded, which is logged: a node can do without.
    """
    if path is None:
        return verify_many
    try:
        return BatchVerifier(path).verify_many
    except Unavailable as error:
        _LOG.warning("signatures are verified one by one: %s", error.message)
        return verify_many


class BatchVerifier:
    """The library, loaded into this process.

    Raises:
      Unavailable: it cannot be loaded, or finds something else than it must.
    """

    def __init__(self, path: Path) -> None:
        try:
            library = ctypes.CDLL(str(path))
            self._verify = library.hansa_verify_ed25519
            interface = library.hansa_verifier_interface()
        except (OSError, AttributeError) as error:
            raise _unfit(path, f"is not a verifier that runs here ({error})") from None
        if interface != INTERFACE:
            raise _unfit(path, f"is of another release (interface {interface}, not {INTERFACE})")
        self._verify.argtypes = (ctypes.c_long, ctypes.c_char_p, ctypes.c_long, ctypes.c_char_p)
        self._verify.restype = None
        alone = [self.verify_many([trial])[0] for trial in _TRIALS]
        if alone != _FOUND or self.verify_many(_TRIALS) != _FOUND:
            raise _unfit(path, "does not verify by ZIP-215, and would part from other nodes")

    def verify_many(self, checks: Sequence[SignatureCheck]) -> list[bool]:
        """Verify signatures; the verdicts are those of the kernel's `verify_many`."""
        together = [index for index, check in enumerate(checks) if _can_batch(check)]
        if len(together) == len(checks):
            return self._verify_ed25519(checks)
        others = sorted({*range(len(checks))}.difference(together))
        verdicts = [False] * len(checks)
        for indices, found in (
            (together, self._verify_ed25519([checks[index] for index in together])),
            (others, verify_many([checks[index] for index in others])),
        ):
            for index, verdict in zip(indices, found, strict=True):
                verdicts[index] = verdict
        return verdicts

    def _verify_ed25519(self, checks: Sequence[SignatureCheck]) -> list[bool]:
        if not checks:
            return []
        _, keys, signatures, messages = zip(*checks, strict=True)
        lengths = Struct(f"<{len(checks)}I").pack(*map(len, messages))
        packed = b"".join((lengths, *keys, *signatures, *messages))
        verdicts = ctypes.create_string_buffer(len(checks))
        self._verify(len(checks), packed, len(packed), verdicts)
        return [verdict == 1 for verdict in verdicts.raw]


def _unfit(path: Path, what: str) -> Unavailable:
    return Unavailable(
        f"{path} {what}: run make verifier to have it built anew, or remove it", path=str(path)
    )


def _can_batch(check: SignatureCheck) -> bool:
    suite, public_key, signature, _ = check
    return (
        suite == _ED25519
        and len(public_key) == ED25519_KEY_BYTES
        and len(signature) == SIGNATURE_BYTES
        and public_key not in REFUSED_ED25519_KEYS
    )
