"""Errors, named by who must act. Every error of Hansa derives from `HansaError`.

| class         | meaning, who acts                           | in a block?     | HTTP | exit |
|---------------|---------------------------------------------|-----------------|------|------|
| `Invalid`     | malformed, bad signature, stale: the sender | no              | 400  | 2    |
| `Refused`     | a rule said no: the sender or its policy    | yes, as receipt | 409  | 3    |
| `NotFound`    | a query found nothing                       | -               | 404  | 4    |
| `Unavailable` | not there now; safe to retry                | -               | 503  | 5    |
| `Corrupt`     | our fault or the disk's: stop the node      | -               | -    | 70   |
"""

from __future__ import annotations

from enum import StrEnum

Fact = str | int | bytes | bool | None


class HansaError(Exception):
    """An error with structured facts: what is wrong, where, and what to do."""

    def __init__(self, message: str, /, **facts: Fact) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts


class InvalidCode(StrEnum):
    """Why an input is `Invalid`, in order of the checks (docs/reference/wire.md has it whole)."""

    TOO_LARGE = "TOO_LARGE"
    MALFORMED = "MALFORMED"
    NOT_CANONICAL = "NOT_CANONICAL"
    UNSUPPORTED_VERSION = "UNSUPPORTED_VERSION"
    TOO_MANY = "TOO_MANY"
    SIGNERS = "SIGNERS"
    SUITE = "SUITE"
    PUBLIC_KEY = "PUBLIC_KEY"
    SIGNATURE = "SIGNATURE"
    UNKNOWN_SPONSOR = "UNKNOWN_SPONSOR"
    QUOTA = "QUOTA"
    EXPIRED = "EXPIRED"
    TOO_FAR_AHEAD = "TOO_FAR_AHEAD"
    ARGUMENTS = "ARGUMENTS"
    AMOUNT = "AMOUNT"
    NONCE_USED = "NONCE_USED"
    UNAUTHENTICATED = "UNAUTHENTICATED"


STATELESS_CODES = frozenset(list(InvalidCode)[: list(InvalidCode).index(InvalidCode.SIGNATURE) + 1])
"""What the stateless checks find; the later codes depend on state and are found by execution."""


class Invalid(HansaError):  # noqa: N818 - the names are the vocabulary of the table above
    """The input itself is wrong; the sender must send something else. Never in a block."""

    def __init__(self, code: InvalidCode, message: str, /, **facts: Fact) -> None:
        super().__init__(message, **facts)
        self.code = code

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild_invalid, (self.code, self.message, self.facts))


def _rebuild_invalid(code: InvalidCode, message: str, facts: dict[str, Fact]) -> Invalid:
    return Invalid(code, message, **facts)


class Refused(HansaError):  # noqa: N818
    """A rule of a contract said no. Becomes a receipt; the transaction changes nothing.

    `code` is a member of the contract's `Code`; the receipt carries `"<contract>.<code>"`.
    Facts are for people and are not hashed.
    """

    def __init__(self, code: StrEnum, /, **facts: Fact) -> None:
        super().__init__(code.value, **facts)
        self.code = code


class NotFound(HansaError):  # noqa: N818
    """A query found nothing."""


class Unavailable(HansaError):  # noqa: N818
    """A peer, the engine or the disk is not there now; it is safe to try again."""


class Corrupt(HansaError):  # noqa: N818
    """Data on disk or our own code is wrong: stop the node. Caught nowhere but in `main`."""
