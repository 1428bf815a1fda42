"""Types of credentials: id schema publish, show, list, retire."""

from __future__ import annotations

import argparse

from hansa.cli.identity.reading import print_proven, read_content
from hansa.cli.screen import print_json, print_table, say
from hansa.cli.source import add_node, add_signing, open_client, parse_count, parse_file
from hansa.cli.tx import load_keys, send
from hansa.contracts.identity import schemas
from hansa.contracts.identity.schemas import DISPLAY_BYTES_MAX, SCHEMA_BYTES_MAX
from hansa.kernel.crypto.address import from_text, to_text
from hansa.kernel.errors import Invalid, InvalidCode, NotFound
from hansa.sdk.answers import read
from hansa.sdk.identity.answers import CredentialTypes
from hansa.sdk.identity.questions import SchemaQuestion

NO_DISPLAY = "[]"


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the word `schema` to the command `id`."""
    schema = words.add_parser("schema", help="types of credentials and their versions")
    words = schema.add_subparsers(dest="schema_word", required=True, metavar="WORD")
    publish = words.add_parser("publish", help="publish a type, or its next version")
    publish.add_argument("key", type=parse_file, help="key file of the member that owns the type")
    publish.add_argument("name", help="of the type: a to z, 0 to 9, hyphens")
    publish.add_argument("schema", type=parse_file, help="file with a JSON Schema of its claims")
    publish.add_argument(
        "--display", type=parse_file, metavar="FILE", help="JSON: how wallets show it (OpenID4VCI)"
    )
    publish.add_argument("--owner", metavar="ADDRESS", help="the member, if not the key's address")
    add_signing(publish)
    publish.set_defaults(function=_publish)
    show = words.add_parser("show", help="one version of a type, proved")
    show.add_argument("name")
    show.add_argument("--version", type=parse_count, default=0, metavar="N", help="default: newest")
    add_node(show)
    show.set_defaults(function=_show)
    listing = words.add_parser("list", help="types of credentials, as the node tells them")
    add_node(listing)
    listing.set_defaults(function=_list)
    retire = words.add_parser("retire", help="say that a version should not be issued any more")
    retire.add_argument("key", type=parse_file, help="key file of the member that owns the type")
    retire.add_argument("name")
    retire.add_argument("version", type=parse_count)
    retire.add_argument("--owner", metavar="ADDRESS", help="the member, if not the key's address")
    add_signing(retire)
    retire.set_defaults(function=_retire)


def _publish(options: argparse.Namespace) -> int:
    from hansa.sdk.identity.schemas import check_display, check_schema  # noqa: PLC0415 - is large

    schema = _read_text(options.schema, SCHEMA_BYTES_MAX)
    display = _read_text(options.display, DISPLAY_BYTES_MAX) if options.display else NO_DISPLAY
    check_schema(schema)
    check_display(display)
    (key,) = load_keys([options.key])
    owner = from_text(options.owner) if options.owner else key.address
    with open_client(options) as client:
        kind = client.identity.ask(SchemaQuestion(_read_name(options.name))).answer.credential_type
        version = kind.latest + 1 if kind is not None else 1
        command = schemas.Publish(owner, options.name, version, schema, display)
        return send(client, options, [key], [command], version=str(version))


def _show(options: argparse.Namespace) -> int:
    with open_client(options) as client:
        found = client.identity.ask(SchemaQuestion(_read_name(options.name), options.version))
    kind, row = found.answer
    if kind is None or row is None:
        has = f"it has versions 1 to {kind.latest}" if kind else "nobody has published it"
        raise NotFound(
            f"there is no such version of {options.name!r} at the last checkpoint: {has}"
        )
    told = {
        "name": row.name,
        "version": row.version,
        "latest": kind.latest,
        "owner": to_text(kind.owner),
        "since_ms": row.since_ms,
        "retired_ms": row.retired_ms,
        "schema": row.schema,
        "display": row.display,
    }
    print_proven(told, found.header, is_json=options.json)
    return 0


def _list(options: argparse.Namespace) -> int:
    with open_client(options) as client:
        found = read(CredentialTypes, client.get("/v1/identity/schemas"), "the node").types
    told = [{"name": each.name, "latest": each.latest, "owner": each.owner} for each in found]
    if options.json:
        print_json({"types": told})
    elif told:
        print_table([(each.name, f"version {each.latest} of {each.owner}") for each in found])
    else:
        say("There are no types of credentials yet.")
    return 0


def _retire(options: argparse.Namespace) -> int:
    (key,) = load_keys([options.key])
    owner = from_text(options.owner) if options.owner else key.address
    command = schemas.Retire(owner, _read_name(options.name), options.version)
    with open_client(options) as client:
        return send(client, options, [key], [command])


def _read_text(path: object, bytes_max: int) -> str:
    try:
        return read_content(path, bytes_max).decode()
    except UnicodeDecodeError:
        raise Invalid(InvalidCode.MALFORMED, f"{path} is no text (UTF-8)") from None


def _read_name(text: str) -> str:
    if not 1 <= len(text) <= 64 or not set(text) <= set(schemas.NAME_CHARACTERS):  # noqa: PLR2004 - of `TypeName`
        raise Invalid(
            InvalidCode.ARGUMENTS,
            f"{text[:80]!r} is no name of a type: 1 to 64 of a to z, 0 to 9 and hyphens",
        )
    return text
