"""DID documents: a view of the kernel's accounts, with what their owners say besides.

`did:hansa:<network>:<address>` is an address with an account or a document. Which keys speak for
it, rotation, recovery by guardians: all that is the contract `accounts`; an address without an
account has the one key that it is the hash of. Here are the bytes of those keys, since accounts
name keys by their hash, and keys of other kinds, services and delegates. A new version leaves the
old one on record; who is deactivated stays so. How it is read: `resolution`.

Source: W3C DID Core 1.0; docs/concepts/identity.md. Units: milliseconds of ledger time.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from hansa.contracts import accounts
from hansa.contracts.identity import documents
from hansa.contracts.identity.documents import EMPTY, KEYS_MAX, Content, Document, KeyBytes
from hansa.contracts.identity.documents import Code as Code
from hansa.kernel.authority import Account, Purpose
from hansa.kernel.contract import NO_MONEY, Command, Event, Function, ListReads
from hansa.kernel.errors import Refused
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View
from hansa.kernel.rows import RowId
from hansa.kernel.values import Address, Positive

NAME = "identity"
VERSION = 1

Keys = Annotated[tuple[KeyBytes, ...], Meta(max_length=KEYS_MAX)]


class Create(Command, frozen=True, array_like=True):
    """Begin a document."""

    address: Address
    content: Content
    keys: Keys
    """To be published with it; of the account, or of anybody."""


class Update(Command, frozen=True, array_like=True):
    """Replace what a document says."""

    address: Address
    version: Positive
    """The one that is replaced; so no update is lost under another that was sent meanwhile."""
    content: Content
    keys: Keys


class Deactivate(Command, frozen=True, array_like=True):
    """End a document for good: no key counts any more. The account goes on."""

    address: Address


class PublishKeys(Command, frozen=True, array_like=True):
    """Publish the bytes of keys; anyone may, since their hash proves them."""

    keys: Keys


class Created(Event, frozen=True, array_like=True):
    """A document is there."""

    address: Address


class Updated(Event, frozen=True, array_like=True):
    """A document says something else now."""

    address: Address
    version: Positive


class Deactivated(Event, frozen=True, array_like=True):
    """A document ended."""

    address: Address
    version: Positive


class KeysPublished(Event, frozen=True, array_like=True):
    """The bytes of these keys are on record now."""

    keys: tuple[Address, ...]


def create(view: View, context: Context, command: Create) -> list[Event]:
    """Begin the document of an address.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    context.require(command.address, Purpose.MANAGE)
    if view.get(Document, command.address) is not None:
        raise Refused(Code.DOCUMENT_EXISTS, address=command.address)
    documents.check_content(context, command.address, command.content)
    keys = documents.check_keys(context, command.keys)
    # CHANGE
    documents.begin(view, context.time_ms, command.address, command.content)
    published = documents.publish(view, keys)
    # TELL
    return [Created(NO_MONEY, command.address), *_tell_keys(published)]


def update(view: View, context: Context, command: Update) -> list[Event]:
    """Replace what a document says; its earlier version stays on record.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    context.require(command.address, Purpose.MANAGE)
    found = _get_active(view, command.address)
    if found.version != command.version:
        raise Refused(Code.WRONG_VERSION, version=command.version, present=found.version)
    documents.check_content(context, command.address, command.content)
    keys = documents.check_keys(context, command.keys)
    # CHANGE
    version = documents.supersede(view, context.time_ms, found, command.content)
    published = documents.publish(view, keys)
    # TELL
    return [Updated(NO_MONEY, command.address, version), *_tell_keys(published)]


def deactivate(view: View, context: Context, command: Deactivate) -> list[Event]:
    """End a document; not while guardians recover the account from whoever has its keys.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    context.require(command.address, Purpose.MANAGE)
    found = _get_active(view, command.address)
    if accounts.find_pending(view, command.address) is not None:
        raise Refused(Code.RECOVERY_PENDING, account=command.address)
    # CHANGE
    version = documents.supersede(view, context.time_ms, found, EMPTY, deactivated=True)
    # TELL
    return [Deactivated(NO_MONEY, command.address, version)]


def publish_keys(view: View, context: Context, command: PublishKeys) -> list[Event]:
    """Put the bytes of keys on record; those that are there already stay as they are.

    Raises:
      Refused: `WRONG_KEY`.
    """
    # CHECK
    keys = documents.check_keys(context, command.keys)
    # CHANGE
    published = documents.publish(view, keys)
    # TELL
    return _tell_keys(published)


def _get_active(view: View, address: bytes) -> Document:
    found = view.get(Document, address)
    if found is None:
        raise Refused(Code.NO_DOCUMENT, address=address)
    if found.deactivated:
        raise Refused(Code.DEACTIVATED, address=address, since_ms=found.since_ms)
    return found


def _tell_keys(published: tuple[bytes, ...]) -> list[Event]:
    return [KeysPublished(NO_MONEY, published)] if published else []


def _list_reads(command: Create | Update) -> tuple[RowId, ...]:
    return ((Account, command.address), (Document, command.address))


READS: dict[type[Command], ListReads] = {Create: _list_reads, Update: _list_reads}

COMMANDS: dict[str, tuple[type[Command], Function]] = {
    "create": (Create, create),
    "update": (Update, update),
    "deactivate": (Deactivate, deactivate),
    "publish_keys": (PublishKeys, publish_keys),
}
