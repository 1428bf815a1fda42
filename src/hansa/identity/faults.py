"""Faults: what can be wrong with a key, a token, a credential or a presentation.

One vocabulary for all formats, so that a verifier's findings read alike whether the credential
came as SD-JWT, mdoc or JSON-LD.
"""

from __future__ import annotations

from enum import StrEnum

from hansa.kernel.errors import Fact, Invalid, InvalidCode

MESSAGE_LETTERS_MAX = 600


class Fault(StrEnum):
    """Why something is not accepted, roughly in the order in which it is looked at."""

    TOO_LARGE = "identity.TOO_LARGE"
    """More bytes, levels or parts than are read."""
    MALFORMED = "identity.MALFORMED"
    """It is not written as its format asks."""
    DUPLICATE = "identity.DUPLICATE"
    """A name, digest or disclosure stands there twice."""
    UNSUPPORTED = "identity.UNSUPPORTED"
    """A format, method or version that is not known here."""
    ALGORITHM = "identity.ALGORITHM"
    """`none`, an unknown algorithm, or one that does not belong to the key."""
    CRITICAL = "identity.CRITICAL"
    """An extension that must be understood, and is not."""
    KEY = "identity.KEY"
    """A key that cannot be used: wrong bytes, wrong curve, wrong purpose, or not to be found."""
    CONTEXT = "identity.CONTEXT"
    """A JSON-LD context or term that is not pinned here."""
    SIGNATURE = "identity.SIGNATURE"
    DISCLOSURE = "identity.DISCLOSURE"
    """A disclosed claim that the issuer did not sign, or that stands in the wrong place."""
    NOT_YET_VALID = "identity.NOT_YET_VALID"
    EXPIRED = "identity.EXPIRED"
    TYPE = "identity.TYPE"
    """Another type of credential or token than was asked for."""
    SCHEMA = "identity.SCHEMA"
    """Claims that the credential type's schema does not allow."""
    BINDING = "identity.BINDING"
    """The holder did not prove possession of the key to which it is bound."""
    AUDIENCE = "identity.AUDIENCE"
    NONCE = "identity.NONCE"
    ISSUER = "identity.ISSUER"
    """The key is not the issuer's."""
    STATUS = "identity.STATUS"
    """A status list that cannot be had, or does not cover the credential."""
    SUSPENDED = "identity.SUSPENDED"
    REVOKED = "identity.REVOKED"
    ACCREDITATION = "identity.ACCREDITATION"
    """The issuer may not, or could not at that time, issue this type."""
    UNRESOLVED = "identity.UNRESOLVED"
    """A DID or key that cannot be resolved."""


class Unsound(Invalid):
    """A key, token, credential or presentation that does not hold; `fault` says what is wrong.

    To the ledger's vocabulary it is `MALFORMED`: whoever sent it must send something else.
    """

    def __init__(self, fault: Fault, message: str, /, **facts: Fact) -> None:
        super().__init__(InvalidCode.MALFORMED, make_showable(message), **facts)
        self.fault = fault

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.fault, self.message, self.facts))


def make_showable(message: str) -> str:
    """Make a message fit to be shown: of some length, and nothing in it that moves the cursor.

    Messages quote what strangers sent, and are shown on pages and terminals, and kept.
    """
    if len(message) > MESSAGE_LETTERS_MAX:
        message = f"{message[:MESSAGE_LETTERS_MAX]}…"
    if message.isprintable():
        return message
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in message)


def _rebuild(fault: Fault, message: str, facts: dict[str, Fact]) -> Unsound:
    return Unsound(fault, message, **facts)
