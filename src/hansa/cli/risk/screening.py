"""Words about sanctions lists: screen a name, list customers who are hits, and clear one."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

import msgspec

from hansa.cli.risk.extra import needing_extra
from hansa.cli.risk.models import find_risk_folder
from hansa.cli.screen import complain, print_found, print_json, print_table, say
from hansa.cli.source import add_node, open_client, parse_file, parse_folder
from hansa.kernel.calendar import format_iso
from hansa.kernel.crypto.address import from_text
from hansa.kernel.errors import Invalid, InvalidCode, NotFound
from hansa.program import name_program
from hansa.sdk.files import check_file

if TYPE_CHECKING:
    from hansa.risk.screening.entries import Days
    from hansa.risk.screening.published import Published
    from hansa.risk.screening.screener import Hit as ScreenedHit
    from hansa.sdk.risk.desk_answers import Hit

EXIT_HITS = 1
MILLION = 1_000_000
PAGE = 100


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's words to the command `risk`."""
    text = "look for a name on sanctions lists"
    command = words.add_parser("screen", help=text, description=text)
    command.add_argument("name", metavar="NAME", help="in any script, its parts in any order")
    command.add_argument("--born", metavar="DATE", help="1975-06-14, 1975-06 or 1975")
    command.add_argument(
        "--country", action="append", default=[], metavar="NAME", help="in English; may be repeated"
    )
    for option, text in (
        ("--sdn", "sdn.csv of OFAC"),
        ("--aliases", "alt.csv, which goes with it"),
        ("--addresses", "add.csv, which goes with it"),
        ("--consolidated", "cons_prim.csv of OFAC"),
        ("--un", "consolidated list of the UN, XML"),
    ):
        command.add_argument(option, type=parse_file, metavar="FILE", help=text)
    command.add_argument(
        "--data", type=parse_folder, help="data folder of a node, by whose lists it is screened"
    )
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(function=_screen)
    text = "customers whose names are hits of sanctions lists, cleared or not"
    hits = words.add_parser("hits", help=text, description=text)
    hits.add_argument("--open", action="store_true", help="only those that are not cleared")
    add_node(hits)
    hits.set_defaults(function=_list_hits)
    text = "keep that a customer is not whom an entry of a sanctions list names"
    clear = words.add_parser("clear", help=text, description=text)
    clear.add_argument("wallet", metavar="WALLET", help="the customer's")
    clear.add_argument("entry", metavar="ENTRY", help="source and id, as 'OFAC-SDN 306'")
    clear.add_argument("--why", required=True, metavar="TEXT", help="by what it is known")
    clear.add_argument("--until", metavar="DATE", help="last day on which it counts, 2027-01-31")
    clear.add_argument("--by", metavar="NAME", help="the officer")
    clear.add_argument(
        "--data", type=parse_folder, required=True, help="data folder of the node, running or not"
    )
    clear.add_argument("--json", action="store_true", help="print one JSON object")
    clear.set_defaults(function=_clear)


def _screen(options: argparse.Namespace) -> int:
    with needing_extra():
        from hansa.risk.screening.screener import Screener  # noqa: PLC0415 - an extra
    born = _parse_born(options.born)
    published = _read_named(options)
    listed, findings = published.listed, [str(each) for each in published.findings]
    found = Screener(listed).screen(options.name, born, options.country)
    hits = [_describe(each) for each in found.hits]
    if options.json:
        told = {"list": found.content_hash.hex(), "entries": len(listed.entries)}
        print_json({**told, "findings": findings, "hit_count": found.hit_count, "hits": hits})
        return EXIT_HITS if hits else 0
    for finding in findings:
        complain(finding)
    for hit in hits:
        print_table(hit)
    given = "" if found.hit_count == len(hits) else f", of which {len(hits)} are shown"
    say(f"{found.hit_count} of {len(listed.entries)} entries are hits{given}.")
    return EXIT_HITS if hits else 0


def _read_named(options: argparse.Namespace) -> Published:
    """Read the lists that are named, or those of a node's folder."""
    from hansa.risk.screening.entries import build_list  # noqa: PLC0415 - an extra
    from hansa.risk.screening.ofac import read_ofac  # noqa: PLC0415
    from hansa.risk.screening.published import LISTS_FOLDER, Published, find_lists  # noqa: PLC0415
    from hansa.risk.screening.published import read_lists as read_published  # noqa: PLC0415
    from hansa.risk.screening.un import read_un  # noqa: PLC0415

    named = (options.sdn, options.aliases, options.addresses, options.consolidated, options.un)
    given = [each for each in named if each is not None]
    if options.data is not None:
        if given:
            raise Invalid(InvalidCode.ARGUMENTS, "name lists, or with --data a node that has them")
        return read_published(find_lists(find_risk_folder(options.data) / LISTS_FOLDER))
    for path in given:
        check_file(path)
    readings = []
    if options.sdn:
        readings.append(read_ofac("OFAC-SDN", options.sdn, options.aliases, options.addresses))
    elif options.aliases or options.addresses:
        raise Invalid(InvalidCode.ARGUMENTS, "--aliases and --addresses go with --sdn")
    if options.consolidated:
        readings.append(read_ofac("OFAC-CONS", options.consolidated))
    if options.un:
        readings.append(read_un(options.un))
    if not readings:
        told = "name a list: --sdn, --consolidated, --un, or --data of a node that has some"
        raise Invalid(InvalidCode.ARGUMENTS, told)
    return Published(
        build_list(entry for reading in readings for entry in reading.entries),
        tuple(finding for reading in readings for finding in reading.findings),
    )


def _list_hits(options: argparse.Namespace) -> int:
    found: list[Hit] = []
    after: int | None = 0
    with open_client(options) as client:
        while after is not None:
            page = client.risk.list_hits(after, PAGE)
            found += page.hits
            after = page.next
    if options.open:
        found = [each for each in found if each.verdict != "allow"]
    if options.json:
        print_json({"hits": msgspec.to_builtins(found)})
    elif found:
        print_table([(each.wallet, _describe_hit(each)) for each in found])
    else:
        say("No customer is a hit." if not options.open else "No hit is open.")
    return 0


def _describe_hit(each: Hit) -> list[str]:
    weak = ", a weak alias" if each.is_weak else ""
    born, country = f"born {each.born}", f"country {each.country}"
    told = [
        f"{each.verdict}: {each.name}",
        f"{each.entry}: {each.listed} ({each.kind}{weak}), score {each.score / MILLION:.3f}",
        f"{born}, {country}; {', '.join(each.programmes) or 'no programme'}",
    ]
    if each.cleared is not None:
        cleared = each.cleared
        by = "" if cleared.by is None else f" by {cleared.by}"
        until = "" if cleared.until_ms is None else f" until {format_iso(cleared.until_ms, 0)}"
        told.append(f"cleared{by}{until}: {cleared.why}")
    return told


def _clear(options: argparse.Namespace) -> int:
    wallet = from_text(options.wallet)
    folder = find_risk_folder(options.data)
    with needing_extra():
        from hansa.risk.lists.reading import read_until  # noqa: PLC0415 - an extra
    if read_until(options.until) <= time.time_ns() // 1_000_000:
        over = f"--until {options.until} is over: a clearing counts from now on"
        raise Invalid(InvalidCode.ARGUMENTS, over)
    if not options.why.strip():
        raise Invalid(InvalidCode.ARGUMENTS, "--why is empty: say by what it is known")
    with needing_extra():
        from hansa.node.risk.loading import RiskFolder  # noqa: PLC0415 - loads numba
        from hansa.node.risk.screening import clear_hits  # noqa: PLC0415
    screening = RiskFolder(folder).loaded.screening
    meant = (wallet, " ".join(options.entry.split()))
    found = () if screening is None else screening.hits
    hits = [each for each in found if (each.wallet, each.found.entry) == meant]
    if not hits:
        raise NotFound(f"{options.wallet} is no hit of {options.entry}")
    told = {"why": options.why, "until": options.until, "by": options.by}
    clear_hits(folder, hits, **told)
    print_found({"wallet": options.wallet, "cleared": len(hits)}, is_json=options.json)
    if not options.json:
        say(f"The node decides by it once it has it: {name_program()} risk reload.")
    return 0


def _parse_born(text: str | None) -> Days | None:
    from hansa.risk.screening.dates import read_iso  # noqa: PLC0415 - an extra

    if text is None:
        return None
    found = read_iso(text)
    if found is None:
        raise Invalid(InvalidCode.ARGUMENTS, f"{text[:80]!r} is no date: 1975-06-14, 1975-06, 1975")
    return found


def _describe(hit: ScreenedHit) -> dict[str, Any]:
    entry = hit.entry
    return {
        "entry": f"{entry.source} {entry.id}",
        "name": entry.name,
        "kind": entry.kind.value,
        "matched": hit.name + (" (a weak alias)" if hit.is_weak else ""),
        "score": round(hit.score / MILLION, 3),
        "pairs": [f"{each.asked} ~ {each.listed}" for each in hit.matches],
        "asked_alone": list(hit.asked_left),
        "listed_alone": list(hit.listed_left),
        "born": hit.born.name.lower(),
        "country": hit.country.name.lower(),
        "programmes": list(entry.programmes),
    }
