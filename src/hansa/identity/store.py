"""What an issuer or a verifier must remember between requests: codes, tokens, nonces, sessions.

A key of a record that opens something (a code, a token) is kept as its hash, so that who reads
the store cannot use it.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Protocol, TypeVar

import msgspec

T = TypeVar("T")


class Kind(StrEnum):
    """A kind of record."""

    ISSUANCE = "issuance"
    OFFER = "offer"
    PRE_AUTHORIZED = "pre_authorized"
    PUSHED = "pushed"
    CODE = "code"
    TOKEN = "token"  # noqa: S105 - the name of a kind
    NONCE = "nonce"
    SEEN = "seen"
    TRANSACTION = "transaction"
    NOTIFICATION = "notification"
    SESSION = "session"
    PAIRWISE = "pairwise"
    """The secret by which an issuer names its subjects towards operators."""


class Store(Protocol):
    """Keeps records until they expire. Each call takes effect whole or not at all."""

    def put(self, kind: Kind, key: str, value: bytes, expires_ms: int) -> None:
        """Keep a record, in place of an earlier one."""

    def get(self, kind: Kind, key: str, time_ms: int) -> bytes | None:
        """Get a record that has not expired."""

    def take(self, kind: Kind, key: str, time_ms: int) -> bytes | None:
        """Get a record and drop it, so that only one of several callers gets it."""

    def add(self, kind: Kind, key: str, expires_ms: int, time_ms: int) -> bool:
        """Keep an empty record if there is none; False if there is."""

    def list_values(self, kind: Kind, time_ms: int, limit: int) -> list[bytes]:
        """List records of a kind that have not expired: which last longest come first."""


class MemoryStore:
    """A store in memory, for tests and short demonstrations."""

    def __init__(self) -> None:
        self._records: dict[tuple[Kind, str], tuple[bytes, int]] = {}

    def put(self, kind: Kind, key: str, value: bytes, expires_ms: int) -> None:
        """Keep a record, in place of an earlier one."""
        self._records[kind, key] = (value, expires_ms)

    def get(self, kind: Kind, key: str, time_ms: int) -> bytes | None:
        """Get a record that has not expired."""
        value, expires_ms = self._records.get((kind, key), (None, 0))
        return value if time_ms < expires_ms else None

    def take(self, kind: Kind, key: str, time_ms: int) -> bytes | None:
        """Get a record and drop it."""
        value, expires_ms = self._records.pop((kind, key), (None, 0))
        return value if time_ms < expires_ms else None

    def add(self, kind: Kind, key: str, expires_ms: int, time_ms: int) -> bool:
        """Keep an empty record if there is none; False if there is."""
        if self.get(kind, key, time_ms) is not None:
            return False
        self.put(kind, key, b"", expires_ms)
        return True

    def list_values(self, kind: Kind, time_ms: int, limit: int) -> list[bytes]:
        """List records of a kind that have not expired: which last longest come first."""
        alive = [
            (expires_ms, value)
            for (found, _), (value, expires_ms) in self._records.items()
            if found is kind and time_ms < expires_ms
        ]
        alive.sort(key=lambda each: each[0], reverse=True)
        return [value for _, value in alive[:limit]]


def hash_key(secret: str) -> str:
    """Compute under which key a record is kept that a secret opens."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def decode(raw: bytes | None, kind: type[T]) -> T | None:
    """Read a record that this program wrote."""
    return None if raw is None else msgspec.json.decode(raw, type=kind)
