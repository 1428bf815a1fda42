"""Status lists: id status create, suspend, revoke, reinstate, show."""

from __future__ import annotations

import argparse

from hansa.cli.identity.reading import PARTY, print_proven, read_party, write_new
from hansa.cli.source import add_node, add_signing, open_client, parse_count, parse_file
from hansa.cli.tx import load_keys, send
from hansa.contracts.identity import status
from hansa.contracts.identity.status import INDICES_MAX, Bits, StatusList
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Invalid, InvalidCode, NotFound
from hansa.sdk.identity.questions import QUESTIONS_MAX, ListQuestion, StatusQuestion

CHANGES = {
    "suspend": (status.Suspend, "take the validity of credentials away for now"),
    "revoke": (status.Revoke, "take the validity of credentials away for good"),
    "reinstate": (status.Reinstate, "end the suspension of credentials"),
}
BITS = (1, 2, 4, 8)


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the word `status` to the command `id`."""
    word = words.add_parser("status", help="status lists: where credentials stand")
    words = word.add_subparsers(dest="status_word", required=True, metavar="WORD")
    create = words.add_parser("create", help="begin a list in which every credential is valid")
    _add_list(create)
    create.add_argument("length", type=parse_count, help=f"entries, at most {status.LENGTH_MAX:,}")
    create.add_argument(
        "--bits", type=int, choices=BITS, default=2, help="of an entry; with 1 none is suspended"
    )
    add_signing(create)
    create.set_defaults(function=_create)
    for name, (_, text) in CHANGES.items():
        command = words.add_parser(name, help=text)
        _add_list(command)
        command.add_argument("index", type=parse_count, nargs="+", help="places in the list")
        add_signing(command)
        command.set_defaults(function=_change)
    show = words.add_parser("show", help="a list, or where some credentials stand; proved")
    show.add_argument("issuer", help=PARTY)
    show.add_argument("number", type=parse_count, help="of the list")
    show.add_argument("index", type=parse_count, nargs="*", help="places in the list")
    show.add_argument(
        "--out", type=parse_file, metavar="FILE", help="write all entries, packed, to a new file"
    )
    add_node(show)
    show.set_defaults(function=_show)


def _add_list(command: argparse.ArgumentParser) -> None:
    command.add_argument("key", type=parse_file, help="key file of the issuer")
    command.add_argument("number", type=parse_count, help="of the list")
    command.add_argument("--issuer", metavar="DID", help=f"{PARTY}, if not the key's address")


def _create(options: argparse.Namespace) -> int:
    if not 0 < options.length <= status.LENGTH_MAX:
        raise Invalid(InvalidCode.ARGUMENTS, f"a list has 1 to {status.LENGTH_MAX:,} entries")
    (key,) = load_keys([options.key])
    with open_client(options) as client:
        issuer = read_party(client, options.issuer) if options.issuer else key.address
        bits = Bits(options.bits)
        command = status.CreateList(issuer, options.number, bits, options.length)
        return send(client, options, [key], [command])


def _read_places(options: argparse.Namespace, most: int) -> tuple[int, ...]:
    indices = tuple(sorted(set(options.index)))
    if len(indices) > most or any(index >= status.LENGTH_MAX for index in indices):
        raise Invalid(
            InvalidCode.ARGUMENTS,
            f"at most {most:,} places at once, each below {status.LENGTH_MAX:,}",
        )
    return indices


def _change(options: argparse.Namespace) -> int:
    indices = _read_places(options, INDICES_MAX)
    (key,) = load_keys([options.key])
    with open_client(options) as client:
        issuer = read_party(client, options.issuer) if options.issuer else key.address
        kind = CHANGES[options.status_word][0]
        return send(client, options, [key], [kind(issuer, options.number, indices)])


def _show(options: argparse.Namespace) -> int:
    indices = _read_places(options, QUESTIONS_MAX)
    with open_client(options) as client:
        issuer = read_party(client, options.issuer)
        whole = ListQuestion(issuer, options.number)
        places = [StatusQuestion(issuer, options.number, index) for index in indices]
        rows = client.identity.prove([whole] if options.out or not places else places)
    row = rows.get(StatusList, issuer, options.number)
    if row is None:
        raise NotFound(
            f"as of block {rows.header.height} this issuer has no list {options.number}; what is "
            "newer is proved with a block that comes a second or more after it"
        )
    entries = {each.index: each.read(rows).status for each in places}
    beyond = [index for index, found in entries.items() if found is None]
    if beyond:
        raise NotFound(f"the list has entries 0 to {row.length - 1}, not {beyond[0]}")
    if options.out:
        write_new(options.out, whole.read(rows).content)
    told = {
        "issuer": to_text(issuer),
        "number": row.number,
        "bits": int(row.bits),
        "length": row.length,
        "version": row.version,
        "updated_ms": row.updated_ms,
        "root": row.root.hex(),
        "entries": {
            str(index): found.name.lower() for index, found in entries.items() if found is not None
        },
    }
    print_proven(told, rows.header, is_json=options.json)
    return 0
