"""Many Ed25519 signatures at once, where the library that `make verifier` builds is there.

Verifying many together takes half of the time that they take one by one, and by the rules of
ZIP-215 both find the same. The arithmetic is that of curve25519-voi, which CometBFT uses, too.

Source: verifier/main.go; https://zips.z.cash/zip-0215; docs/performance.md.
"""

from __future__ import annotations

import ctypes
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from struct import Struct

from hansa.kernel.crypto.signatures import (
    ED25519_KEY_BYTES,
    REFUSED_ED25519_KEYS,
    SIGNATURE_BYTES,
    SignatureCheck,
    Suite,
    public_key_of,
    sign,
    verify_many,
)
from hansa.kernel.errors import NotFound, Unavailable
from hansa.kernel.transaction import VerifyMany

VARIABLE = "HANSA_VERIFIER"
CHECKOUT = Path(__file__).resolve().parents[3]
BUILT = CHECKOUT / ".tools" / "lib" / "libhansa_verifier.so"

_LOG = logging.getLogger(__name__)
_ED25519 = int(Suite.ED25519)
_KEY = bytes(range(32))
"""Of a signature with which the library is tried; a key for nothing else."""


def find_library() -> Path | None:
    """Find the library: HANSA_VERIFIER, else `.tools/lib` of this checkout; None if there is none.

    Raises:
      NotFound: the variable names no file.
    """
    named = os.environ.get(VARIABLE)
    if named:
        if not Path(named).is_file():
            raise NotFound(f"{VARIABLE} names {named}, and there is no such file", path=named)
        return Path(named).absolute()
    return BUILT if BUILT.is_file() else None


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
            self._verify = ctypes.CDLL(str(path)).hansa_verify_ed25519
        except (OSError, AttributeError) as error:
            raise Unavailable(
                f"{path} is not a verifier that runs here ({error}): run make verifier to have it "
                "built anew, or remove it",
                path=str(path),
            ) from None
        self._verify.argtypes = (ctypes.c_long, ctypes.c_char_p, ctypes.c_long, ctypes.c_char_p)
        self._verify.restype = None
        good = SignatureCheck(
            _ED25519, public_key_of(_ED25519, _KEY), sign(_ED25519, _KEY, b""), b""
        )
        if self.verify_many([good, good._replace(message=b"\0")]) != [True, False]:
            raise Unavailable(
                f"{path} does not tell a good signature from a bad one: remove it, then make "
                "verifier",
                path=str(path),
            )

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


def _can_batch(check: SignatureCheck) -> bool:
    suite, public_key, signature, _ = check
    return (
        suite == _ED25519
        and len(public_key) == ED25519_KEY_BYTES
        and len(signature) == SIGNATURE_BYTES
        and public_key not in REFUSED_ED25519_KEYS
    )
