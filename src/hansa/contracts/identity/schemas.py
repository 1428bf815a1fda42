"""Schemas: the types of credentials, and what credentials of each version of a type must hold.

The member that publishes the first version of a type owns its name; versions are numbered from 1,
never change and never go away. A version may be retired: what was issued under it keeps its
meaning, but no more should be. The ledger bounds the two texts and does not read them: whether
they are sound is for whoever publishes, issues or verifies. Units: bytes of UTF-8; milliseconds.

Source: JSON Schema 2020-12 (schema); OpenID4VCI 1.0, section 12.2.4 (display).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from hansa.contracts import members
from hansa.kernel.authority import Purpose
from hansa.kernel.contract import NO_MONEY, Command, Event, Function, ListReads
from hansa.kernel.errors import Refused
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View
from hansa.kernel.rows import Row, RowId
from hansa.kernel.values import Address, Positive, TimeMs

NAME = "schemas"
VERSION = 1

SCHEMA_BYTES_MAX = 12_288
DISPLAY_BYTES_MAX = 3_072
"""Together they fit in an envelope of the least size that networks commonly allow, 16 KiB."""
NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789-"
"""None of them looks like another one of a foreign script."""

NAME_LETTERS_MAX = 64

TypeName = Annotated[str, Meta(min_length=1, max_length=NAME_LETTERS_MAX)]
SchemaText = Annotated[str, Meta(min_length=2, max_length=SCHEMA_BYTES_MAX)]
DisplayText = Annotated[str, Meta(min_length=2, max_length=DISPLAY_BYTES_MAX)]


class Code(StrEnum):
    """Refusals, in order of precedence."""

    WRONG_NAME = "schemas.WRONG_NAME"
    UNKNOWN_SCHEMA = "schemas.UNKNOWN_SCHEMA"
    NOT_OWNER = "schemas.NOT_OWNER"
    ALREADY_RETIRED = "schemas.ALREADY_RETIRED"
    WRONG_VERSION = "schemas.WRONG_VERSION"
    TOO_LONG = "schemas.TOO_LONG"


class CredentialType(Row, frozen=True, array_like=True):
    """A type of credentials: whose name it is, and how many versions there are."""

    TABLE: ClassVar[bytes] = b"ct"
    KEY: ClassVar[tuple[str, ...]] = ("name",)

    name: TypeName
    owner: Address
    latest: Positive
    since_ms: TimeMs


class Schema(Row, frozen=True, array_like=True):
    """One version of a type."""

    TABLE: ClassVar[bytes] = b"cs"
    KEY: ClassVar[tuple[str, ...]] = ("name", "version")

    name: TypeName
    version: Positive
    schema: SchemaText
    """JSON Schema 2020-12 of a credential's claims."""
    display: DisplayText
    """How wallets show it: a JSON array of OpenID4VCI's display objects, or such an object."""
    since_ms: TimeMs
    retired_ms: TimeMs = 0
    """Since when nobody should issue by it; 0 for never."""


class Publish(Command, frozen=True, array_like=True):
    """Publish the next version of a type, or the first of a new one."""

    owner: Address
    name: TypeName
    version: Positive
    """The one that follows; so a version is not published twice, nor over another's."""
    schema: SchemaText
    display: DisplayText


class Retire(Command, frozen=True, array_like=True):
    """Say that nobody should issue by a version any more."""

    owner: Address
    name: TypeName
    version: Positive


class Published(Event, frozen=True, array_like=True):
    """A version is there."""

    owner: Address
    name: TypeName
    version: Positive


class Retired(Event, frozen=True, array_like=True):
    """A version should not be issued by any more."""

    owner: Address
    name: TypeName
    version: Positive


def publish(view: View, context: Context, command: Publish) -> list[Event]:
    """Put a version on record; by an active member, and by the type's owner if it has one.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    context.require(command.owner, Purpose.ASSERT)
    members.require_active(view, command.owner)
    if not set(command.name) <= set(NAME_CHARACTERS):
        raise Refused(Code.WRONG_NAME, name=command.name, allowed=NAME_CHARACTERS)
    found = view.get(CredentialType, command.name)
    if found is None:
        found = CredentialType(command.name, command.owner, command.version, context.time_ms)
        following = 1
    else:
        following = found.latest + 1
    if found.owner != command.owner:
        raise Refused(Code.NOT_OWNER, owner=found.owner)
    if command.version != following:
        raise Refused(Code.WRONG_VERSION, version=command.version, following=following)
    _check_length(command.schema, SCHEMA_BYTES_MAX)
    _check_length(command.display, DISPLAY_BYTES_MAX)
    # CHANGE
    view.put(msgspec.structs.replace(found, latest=following))
    view.put(Schema(command.name, following, command.schema, command.display, context.time_ms))
    # TELL
    return [Published(NO_MONEY, command.owner, command.name, following)]


def retire(view: View, context: Context, command: Retire) -> list[Event]:
    """Retire a version, as the type's owner, a member or not; for good.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    context.require(command.owner, Purpose.ASSERT)
    found = view.get(CredentialType, command.name)
    schema = view.get(Schema, command.name, command.version)
    if found is None or schema is None:
        raise Refused(Code.UNKNOWN_SCHEMA, name=command.name, version=command.version)
    if found.owner != command.owner:
        raise Refused(Code.NOT_OWNER, owner=found.owner)
    if schema.retired_ms:
        raise Refused(Code.ALREADY_RETIRED, retired_ms=schema.retired_ms)
    # CHANGE
    view.put(msgspec.structs.replace(schema, retired_ms=context.time_ms))
    # TELL
    return [Retired(NO_MONEY, command.owner, command.name, command.version)]


def get_type(view: View, name: str) -> CredentialType | None:
    """Get a type of credentials, or None if nobody has published it."""
    return view.get(CredentialType, name)


def get_schema(view: View, name: str, version: int) -> Schema | None:
    """Get one version of a type, or None."""
    return view.get(Schema, name, version)


def _check_length(text: str, bytes_max: int) -> None:
    length = len(text.encode())
    if length > bytes_max:
        raise Refused(Code.TOO_LONG, length=length, bytes_max=bytes_max)


def _list_reads(command: Publish) -> tuple[RowId, ...]:
    return (
        (members.Member, command.owner),
        (CredentialType, command.name),
        (Schema, command.name, command.version),
    )


READS: dict[type[Command], ListReads] = {Publish: _list_reads}

COMMANDS: dict[str, tuple[type[Command], Function]] = {
    "publish": (Publish, publish),
    "retire": (Retire, retire),
}
