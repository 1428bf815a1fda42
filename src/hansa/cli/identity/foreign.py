"""DIDs of other methods than the ledger's own: id resolve."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from hansa.cli.identity.reading import MOMENT, parse_moment
from hansa.cli.screen import print_json, print_table, say
from hansa.identity.keys.multikey import write_multikey
from hansa.identity.methods.did import read_did
from hansa.identity.methods.documents import DidDocument
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.program import name_program


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's word to the command `id`."""
    resolve = words.add_parser("resolve", help="a DID of the methods key, jwk, web or webvh")
    resolve.add_argument("did")
    resolve.add_argument("--at", type=parse_moment, metavar="TIME", help=f"{MOMENT}; default: now")
    resolve.add_argument(
        "--host", action="append", metavar="NAME", help="ask this host alone; repeat"
    )
    resolve.add_argument("--inside", action="store_true", help="ask also addresses inside")
    resolve.add_argument("--json", action="store_true", help="print one JSON object")
    resolve.set_defaults(function=_resolve)


def _resolve(options: argparse.Namespace) -> int:
    if read_did(options.did).method == "hansa":
        raise Invalid(
            InvalidCode.MALFORMED,
            f"this DID stands on a ledger: ask a node of it, `{name_program()} id show`",
        )
    document = asyncio.run(_ask(options))
    found = _describe(document)
    if options.json:
        print_json(found)
        return 0
    print_table({name: found[name] for name in ("did", "deactivated")})
    for each in found["also_known_as"]:
        say(f"also known as {each}")
    for each in found["services"]:
        say(f"{each['id']}: {each['type']} at {each['endpoint']}")
    for each in found["keys"]:
        uses = ", ".join(each["uses"]) or "for nothing"
        say(f"{each['id']}: {each['kind']}, {uses}, {each['multikey']}")
    return 0


async def _ask(options: argparse.Namespace) -> DidDocument:
    from hansa.node.identity.fetching import Fetcher, FetchRules  # noqa: PLC0415 - loads a client
    from hansa.node.identity.resolving import Resolver  # noqa: PLC0415
    from hansa.node.service import wall_clock_ms  # noqa: PLC0415

    hosts = frozenset(options.host) if options.host else None
    async with Fetcher(FetchRules(hosts, may_ask_inside=options.inside)) as fetcher:
        resolver = Resolver(None, "", fetcher.fetch, wall_clock_ms)
        return await resolver.resolve(options.did, options.at)


def _describe(document: DidDocument) -> dict[str, Any]:
    uses = {
        url: [use.value for use, urls in document.relationships.items() if url in urls]
        for url in document.keys
    }
    return {
        "did": document.id,
        "deactivated": document.is_deactivated,
        "also_known_as": list(document.also_known_as),
        "services": [each._asdict() for each in document.services],
        "keys": [
            {
                "id": url,
                "kind": key.kind.value,
                "uses": uses[url],
                "multikey": write_multikey(key),
            }
            for url, key in document.keys.items()
        ],
    }
