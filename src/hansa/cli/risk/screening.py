"""The word that screens a name against sanctions lists: screen."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from hansa.cli.risk.extra import needing_extra
from hansa.cli.screen import complain, print_json, print_table, say
from hansa.cli.source import parse_file
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.sdk.files import check_file

if TYPE_CHECKING:
    from hansa.risk.screening.entries import Days
    from hansa.risk.screening.screener import Hit

EXIT_HITS = 1
MILLION = 1_000_000


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
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(function=_screen)


def _screen(options: argparse.Namespace) -> int:
    with needing_extra():
        from hansa.risk.screening.entries import build_list  # noqa: PLC0415 - an extra
        from hansa.risk.screening.ofac import read_ofac  # noqa: PLC0415
        from hansa.risk.screening.screener import Screener  # noqa: PLC0415
        from hansa.risk.screening.un import read_un  # noqa: PLC0415
    born = _parse_born(options.born)
    named = (options.sdn, options.aliases, options.addresses, options.consolidated, options.un)
    for path in filter(None, named):
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
        raise Invalid(InvalidCode.ARGUMENTS, "name a list: --sdn, --consolidated or --un")
    findings = [str(each) for reading in readings for each in reading.findings]
    listed = build_list(entry for reading in readings for entry in reading.entries)
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


def _parse_born(text: str | None) -> Days | None:
    from hansa.risk.screening.dates import read_iso  # noqa: PLC0415 - an extra

    if text is None:
        return None
    found = read_iso(text)
    if found is None:
        raise Invalid(InvalidCode.ARGUMENTS, f"{text[:80]!r} is no date: 1975-06-14, 1975-06, 1975")
    return found


def _describe(hit: Hit) -> dict[str, Any]:
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
