"""Documents: what a DID document says beside its account's keys, and what may stand in one.

Part of the contract `identity`, kept apart for reading; it has no commands of its own. Units:
milliseconds of ledger time. Nothing here may tell who a person is: it is public, and stays.

Source: W3C DID Core 1.0, section 5; W3C Controlled Identifiers 1.0, section 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum, IntFlag, StrEnum
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from hansa.kernel.crypto.address import address_of
from hansa.kernel.crypto.signatures import check_public_key
from hansa.kernel.errors import Invalid, Refused
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View
from hansa.kernel.rows import Row
from hansa.kernel.values import Address, Positive, TimeMs

METHODS_MAX = 8
SERVICES_MAX = 8
DELEGATES_MAX = 8
ALIASES_MAX = 4
KEYS_MAX = 16
NAME_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
SCHEME_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789+-."
SCHEMES_FORBIDDEN = frozenset(
    ["data", "javascript", "mailto", "sip", "sips", "sms", "tel", "vbscript", "xmpp"]
)
"""A number or an address of a person, who could never take it back; and what holds content."""
URI_FORBIDDEN = ' "<>\\^`{|}'
"""Of printable ASCII, what no URI has (RFC 3986)."""


class Relationship(IntFlag):
    """What a key may do for the subject of a document."""

    AUTHENTICATION = 1
    """Prove to be the subject."""
    ASSERTION = 2
    """Sign credentials and evidence."""
    KEY_AGREEMENT = 4
    """Receive what is encrypted to the subject."""
    INVOCATION = 8
    """Change account and document: only keys of the account may."""


class Kind(IntEnum):
    """What a key is; the first three are the suites that sign transactions, too."""

    ED25519 = 1
    P256 = 2
    SECP256K1 = 3
    X25519 = 4
    BLS12381G2 = 5


_SIGNING = Relationship.AUTHENTICATION | Relationship.ASSERTION
KINDS: dict[Kind, tuple[int, Relationship]] = {
    Kind.ED25519: (32, _SIGNING),
    Kind.P256: (33, _SIGNING | Relationship.KEY_AGREEMENT),
    Kind.SECP256K1: (33, _SIGNING),
    Kind.X25519: (32, Relationship.KEY_AGREEMENT),
    Kind.BLS12381G2: (96, Relationship.ASSERTION),
}
"""Bytes of a compressed public key, and what such keys can do."""

FragmentName = Annotated[str, Meta(min_length=1, max_length=32)]
"""Names a part of a document, behind `#`; no name of 64 characters, as an account's keys have."""
ServiceType = Annotated[str, Meta(min_length=1, max_length=64)]
Uri = Annotated[str, Meta(min_length=3, max_length=256)]
Suite = Annotated[int, Meta(ge=1, le=255)]
SuiteKey = Annotated[bytes, Meta(min_length=32, max_length=33)]
PublicKeyBytes = Annotated[bytes, Meta(min_length=32, max_length=96)]


class Code(StrEnum):
    """Refusals, in order of precedence."""

    DOCUMENT_EXISTS = "identity.DOCUMENT_EXISTS"
    NO_DOCUMENT = "identity.NO_DOCUMENT"
    DEACTIVATED = "identity.DEACTIVATED"
    RECOVERY_PENDING = "identity.RECOVERY_PENDING"
    WRONG_VERSION = "identity.WRONG_VERSION"
    WRONG_NAME = "identity.WRONG_NAME"
    WRONG_METHOD = "identity.WRONG_METHOD"
    WRONG_SERVICE = "identity.WRONG_SERVICE"
    WRONG_DELEGATE = "identity.WRONG_DELEGATE"
    WRONG_ALIAS = "identity.WRONG_ALIAS"
    WRONG_KEY = "identity.WRONG_KEY"


class Method(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A key that signs no transactions: of an issuer's desk, for encryption, for BBS."""

    name: FragmentName
    kind: Kind
    public_key: PublicKeyBytes
    relationships: Annotated[int, Meta(ge=1, le=7)]
    """Bits of `Relationship`."""


class Service(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where something is served for the subject."""

    name: FragmentName
    type: ServiceType
    endpoint: Uri


class Delegate(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Another account, whose own keys of these relationships count as the subject's for a time."""

    address: Address
    relationships: Annotated[int, Meta(ge=1, le=3)]
    """Bits of `Relationship`: to prove and to assert; no more can be handed on."""
    until_ms: TimeMs
    """The first moment at which they no longer count."""


class Content(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a document says beside its account's keys; an update replaces all of it."""

    methods: Annotated[tuple[Method, ...], Meta(max_length=METHODS_MAX)] = ()
    services: Annotated[tuple[Service, ...], Meta(max_length=SERVICES_MAX)] = ()
    delegates: Annotated[tuple[Delegate, ...], Meta(max_length=DELEGATES_MAX)] = ()
    also_known_as: Annotated[tuple[Uri, ...], Meta(max_length=ALIASES_MAX)] = ()


EMPTY = Content()


class KeyBytes(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The public key that an address is the hash of."""

    suite: Suite
    public_key: SuiteKey


class PublicKey(Row, frozen=True, array_like=True):
    """The bytes of a key that accounts name by its address; never changed, never removed."""

    TABLE: ClassVar[bytes] = b"dk"
    KEY: ClassVar[tuple[str, ...]] = ("address",)

    address: Address
    suite: Suite
    public_key: SuiteKey


class Document(Row, frozen=True, array_like=True):
    """What somebody has said about an address of their own."""

    TABLE: ClassVar[bytes] = b"dd"
    KEY: ClassVar[tuple[str, ...]] = ("address",)

    address: Address
    version: Positive
    since_ms: TimeMs
    """When this version came in force."""
    deactivated: bool
    content: Content


class PastDocument(Row, frozen=True, array_like=True):
    """A document as it was before a change; never changed, and never removed."""

    TABLE: ClassVar[bytes] = b"dh"
    KEY: ClassVar[tuple[str, ...]] = ("address", "version")
    CACHED: ClassVar[bool] = False

    address: Address
    version: Positive
    document: Document
    until_ms: TimeMs
    """When the next version came in force."""


def check_content(context: Context, owner: bytes, content: Content) -> None:
    """Refuse what cannot stand in a document of `owner`, in the order of `Code`."""
    names = [each.name for each in content.methods] + [each.name for each in content.services]
    for place, name in enumerate(names):
        if not set(name) <= set(NAME_CHARACTERS) or name in names[:place]:
            raise Refused(Code.WRONG_NAME, name=name)
    for method in content.methods:
        if not _is_sound_method(method):
            raise Refused(Code.WRONG_METHOD, name=method.name, kind=method.kind.name)
    for service in content.services:
        if not (_is_printable(service.type) and _is_uri(service.endpoint)):
            raise Refused(Code.WRONG_SERVICE, name=service.name)
    seen = {owner}
    for delegate in content.delegates:
        if delegate.address in seen or delegate.until_ms <= context.time_ms:
            raise Refused(Code.WRONG_DELEGATE, delegate=delegate.address)
        seen.add(delegate.address)
    for place, uri in enumerate(content.also_known_as):
        if not _is_uri(uri) or uri in content.also_known_as[:place]:
            raise Refused(Code.WRONG_ALIAS, uri=uri)


def check_keys(context: Context, keys: Sequence[KeyBytes]) -> list[PublicKey]:
    """Compute the rows of these keys; refuses what is no public key of a suite."""
    rows = []
    for key in keys:
        if not _is_public_key(key.suite, key.public_key):
            raise Refused(Code.WRONG_KEY, suite=key.suite, public_key=key.public_key)
        address = address_of(key.suite, key.public_key, context.digest)
        rows.append(PublicKey(address, key.suite, key.public_key))
    return rows


def begin(view: View, time_ms: int, address: bytes, content: Content) -> None:
    """Put the first version of a document in force."""
    view.put(Document(address, 1, time_ms, deactivated=False, content=content))


def supersede(
    view: View, time_ms: int, found: Document, content: Content, *, deactivated: bool = False
) -> int:
    """Put the next version in force, and the one before on record; returns the new number."""
    version = found.version + 1
    view.put(PastDocument(found.address, found.version, found, time_ms))
    view.put(Document(found.address, version, time_ms, deactivated, content))
    return version


def publish(view: View, rows: Sequence[PublicKey]) -> tuple[bytes, ...]:
    """Put on record those keys that are not there yet; returns their addresses."""
    new = []
    for row in rows:
        if view.get(PublicKey, row.address) is None:
            view.put(row)
            new.append(row.address)
    return tuple(new)


def _is_sound_method(method: Method) -> bool:
    length, allowed = KINDS[method.kind]
    if len(method.public_key) != length or method.relationships & ~allowed:
        return False
    is_suite = method.kind <= Kind.SECP256K1
    return not is_suite or _is_public_key(method.kind, method.public_key)


def _is_public_key(suite: int, public_key: bytes) -> bool:
    try:
        check_public_key(suite, public_key)
    except Invalid:
        return False
    return True


def _is_printable(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _is_uri(text: str) -> bool:
    """Whether text has a scheme that may stand here and only characters of a URI."""
    scheme, colon, rest = text.partition(":")
    return (
        bool(scheme and colon and rest)
        and "a" <= scheme[0] <= "z"
        and set(scheme) <= set(SCHEME_CHARACTERS)
        and scheme not in SCHEMES_FORBIDDEN
        and _is_printable(rest)
        and not set(rest) & set(URI_FORBIDDEN)
    )
