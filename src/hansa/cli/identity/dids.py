"""DIDs: id create, show, update, keys, deactivate."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import msgspec

from hansa.cli.identity.reading import (
    MOMENT,
    PARTY,
    check_past,
    parse_moment,
    print_proven,
    read_party,
)
from hansa.cli.screen import ask
from hansa.cli.source import add_node, add_signing, open_client, parse_file
from hansa.cli.tx import load_keys, send
from hansa.contracts.identity import did
from hansa.contracts.identity.documents import (
    EMPTY,
    Content,
    Delegate,
    Document,
    KeyBytes,
    Kind,
    Method,
    Relationship,
    Service,
)
from hansa.identity.keys.multikey import read_multikey
from hansa.identity.methods.did import read_did
from hansa.identity.methods.hansa import (
    KINDS,
    resolve_did_hansa,
    write_did,
    write_document,
    write_metadata,
)
from hansa.kernel.crypto.signatures import Suite, check_public_key
from hansa.kernel.errors import Invalid, InvalidCode, NotFound
from hansa.program import name_program
from hansa.sdk.client import Client
from hansa.sdk.identity.questions import DidQuestion
from hansa.shapes import tell_shape

USES = {
    "authenticate": Relationship.AUTHENTICATION,
    "assert": Relationship.ASSERTION,
    "agree": Relationship.KEY_AGREEMENT,
}
USES_HELP = "authenticate, assert, agree; several with commas"


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's words to the command `id`."""
    show = words.add_parser("show", help="a DID document, proved, now or at a time")
    show.add_argument("did", help=PARTY)
    show.add_argument("--at", type=parse_moment, metavar="TIME", help=f"{MOMENT}; default: now")
    add_node(show)
    show.set_defaults(function=_show)
    for word, function, text in (
        ("create", _create, "begin the DID document of a key's address"),
        ("update", _update, "add to a DID document, replace or remove what it says"),
    ):
        command = _add_changing(words, word, text)
        _add_content(command)
        if word == "update":
            command.add_argument(
                "--remove",
                action="append",
                default=[],
                metavar="NAME",
                help="name of a key or service, delegate, or URI; repeat",
            )
        command.set_defaults(function=function)
    keys = words.add_parser("keys", help="publish the public keys behind addresses of keys")
    keys.add_argument("key", type=parse_file, help="key file; its own key is published, too")
    keys.add_argument(
        "--public-key",
        action="append",
        nargs=2,
        default=[],
        metavar=("SUITE", "HEX"),
        help=f"another one, as `{name_program()} key show` tells it; repeat",
    )
    add_signing(keys)
    keys.set_defaults(function=_publish_keys)
    end = _add_changing(words, "deactivate", "end a DID for good: no key counts any more")
    end.add_argument("--yes", action="store_true", help="do it without asking, as in a script")
    end.set_defaults(function=_deactivate)


def _add_changing(
    words: argparse._SubParsersAction[argparse.ArgumentParser], word: str, text: str
) -> argparse.ArgumentParser:
    command = words.add_parser(word, help=text)
    command.add_argument("key", type=parse_file, help="key file that manages the address")
    command.add_argument("--did", metavar="DID", help=f"{PARTY} (default: that of the key)")
    add_signing(command)
    return command


def _add_content(command: argparse.ArgumentParser) -> None:
    for option, names, text in (
        ("--service", ("NAME", "TYPE", "URL"), "where something is served; repeat"),
        ("--method", ("NAME", "MULTIKEY", "USES"), f"a key beside the account's: {USES_HELP}"),
        ("--delegate", ("DID", "USES", "UNTIL"), "whose keys count until then; repeat"),
    ):
        command.add_argument(option, action="append", nargs=3, default=[], metavar=names, help=text)
    command.add_argument(
        "--also-known-as", action="append", default=[], metavar="URI", help="repeat"
    )


def _show(options: argparse.Namespace) -> int:
    with open_client(options) as client:
        address = read_party(client, options.did)
        network = client.get_network().genesis.network
        rows = client.identity.prove([DidQuestion(address, options.at)])
        now_ms = max(client.get_status().clock_ms, rows.header.time_ms)
    if options.at is not None:
        check_past(options.at, now_ms)
    name = write_did(network, address)
    try:
        found = resolve_did_hansa(rows, network, read_did(name), now_ms, options.at)
    except Invalid as error:
        raise NotFound(error.message) from None
    document, metadata = write_document(found), write_metadata(found)
    if options.json:
        told: dict[str, Any] = {"didDocument": document, "didDocumentMetadata": metadata}
    else:
        told = {**document, **metadata}
        del told["@context"]
    moment_ms = now_ms if options.at is None else options.at
    told["delegates"] = [
        _describe_delegate(network, each, moment_ms) for each in found.found.content.delegates
    ]
    print_proven(told, rows.header, is_json=options.json)
    return 0


def _create(options: argparse.Namespace) -> int:
    (key,) = load_keys([options.key])
    with open_client(options) as client:
        address = read_party(client, options.did) if options.did else key.address
        content = _merge(client, EMPTY, options)
        command = did.Create(address, content, (KeyBytes(key.suite, key.public_key),))
        name = write_did(client.get_network().genesis.network, address)
        return send(client, options, [key], [command], did=name)


def _update(options: argparse.Namespace) -> int:
    (key,) = load_keys([options.key])
    with open_client(options) as client:
        address = read_party(client, options.did) if options.did else key.address
        found = _get_document(client, address)
        content = _merge(client, _remove(client, found.content, options.remove), options)
        if content == found.content:
            raise Invalid(
                InvalidCode.ARGUMENTS, "this changes nothing: say what to add or to --remove"
            )
        command = did.Update(
            address, found.version, content, (KeyBytes(key.suite, key.public_key),)
        )
        name = write_did(client.get_network().genesis.network, address)
        return send(client, options, [key], [command], did=name)


def _describe_delegate(network: str, delegate: Delegate, moment_ms: int) -> dict[str, Any]:
    return {
        "did": write_did(network, delegate.address),
        "uses": [name for name, use in USES.items() if delegate.relationships & use],
        "until_ms": delegate.until_ms,
        "counts": moment_ms < delegate.until_ms,
    }


def _get_document(client: Client, address: bytes) -> Document:
    """Get what an address says of itself, proved; raises `NotFound`."""
    found = client.identity.prove([DidQuestion(address)]).get(Document, address)
    if found is None:
        raise NotFound(
            "as of the last checkpoint this address has no document: create one; what is newer is "
            "proved with a block that comes a second or more after it"
        )
    return found


def _publish_keys(options: argparse.Namespace) -> int:
    (key,) = load_keys([options.key])
    keys = [KeyBytes(key.suite, key.public_key)]
    keys += [_read_public_key(*given) for given in options.public_key]
    with open_client(options) as client:
        return send(client, options, [key], [did.PublishKeys(tuple(keys))])


def _read_public_key(suite: str, text: str) -> KeyBytes:
    known = {each.name.lower(): each for each in Suite}
    try:
        key = KeyBytes(int(known[suite]), bytes.fromhex(text))
        check_public_key(key.suite, key.public_key)
    except (KeyError, ValueError, Invalid):
        raise Invalid(
            InvalidCode.PUBLIC_KEY,
            f"--public-key {suite[:20]!r} {text[:80]!r} is none: say one of {', '.join(known)}, "
            f"and the key in hexadecimal, as `{name_program()} key show` tells both",
        ) from None
    return key


def _deactivate(options: argparse.Namespace) -> int:
    (key,) = load_keys([options.key])
    with open_client(options) as client:
        address = read_party(client, options.did) if options.did else key.address
        name = write_did(client.get_network().genesis.network, address)
        if not options.yes:
            _ask_consent(name, is_json=options.json)
        return send(client, options, [key], [did.Deactivate(address)], did=name)


def _ask_consent(name: str, *, is_json: bool) -> None:
    if is_json or not sys.stdin.isatty():
        raise Invalid(InvalidCode.ARGUMENTS, f"{name} would end for good: say --yes if you mean it")
    if not ask(f"End {name} for good? Type yes: "):
        raise Invalid(InvalidCode.ARGUMENTS, f"nothing was done: {name} is as it was")


def _remove(client: Client, content: Content, names: list[str]) -> Content:
    """Remove what is named; raises `Invalid` for what is not there."""
    for name in names:
        address = read_party(client, name) if name.startswith(("did:hansa:", "hansa1")) else b""
        after = Content(
            tuple(each for each in content.methods if each.name != name),
            tuple(each for each in content.services if each.name != name),
            tuple(each for each in content.delegates if each.address != address),
            tuple(each for each in content.also_known_as if each != name),
        )
        if after == content:
            raise Invalid(InvalidCode.ARGUMENTS, f"--remove {name[:200]!r}: the document has none")
        content = after
    return content


def _merge(client: Client, content: Content, options: argparse.Namespace) -> Content:
    """Add what the options name; what has the same name gives way."""
    methods = {each.name: each for each in content.methods}
    for name, multikey, uses in options.method:
        methods[name] = Method(name, *_read_multikey(multikey), _read_uses(uses))
    services = {each.name: each for each in content.services}
    for name, kind, url in options.service:
        services[name] = Service(name, kind, url)
    delegates = {each.address: each for each in content.delegates}
    for party, uses, until in options.delegate:
        address = read_party(client, party)
        delegates[address] = Delegate(address, _read_uses(uses), _read_until(until))
    names = dict.fromkeys((*content.also_known_as, *options.also_known_as))
    merged = Content(
        tuple(methods.values()), tuple(services.values()), tuple(delegates.values()), tuple(names)
    )
    try:
        return msgspec.convert(msgspec.to_builtins(merged, builtin_types=(bytes,)), Content)
    except msgspec.ValidationError as error:
        raise Invalid(
            InvalidCode.ARGUMENTS, f"no document can say this: {tell_shape(error)}"
        ) from None


def _read_multikey(text: str) -> tuple[Kind, bytes]:
    key = read_multikey(text, f"--method {text[:80]!r}")
    kind = next((ours for ours, theirs in KINDS.items() if theirs is key.kind), None)
    if kind is None:
        raise Invalid(InvalidCode.ARGUMENTS, f"a document holds no {key.kind.value} key")
    return kind, key.data


def _read_uses(text: str) -> int:
    found = Relationship(0)
    for name in text.split(","):
        if name not in USES:
            raise Invalid(InvalidCode.ARGUMENTS, f"{name[:40]!r} is no use of a key: {USES_HELP}")
        found |= USES[name]
    return int(found)


def _read_until(text: str) -> int:
    try:
        return parse_moment(text)
    except argparse.ArgumentTypeError as error:
        raise Invalid(InvalidCode.ARGUMENTS, f"--delegate: {error}") from None
