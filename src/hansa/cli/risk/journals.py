"""Words about all that a node ever took in: replay, and backtest of a rule file."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from hansa.cli.risk.extra import needing_extra
from hansa.cli.risk.opening import open_journal
from hansa.cli.screen import complain, print_found
from hansa.cli.source import parse_file, parse_folder
from hansa.node.home import Home
from hansa.sdk.files import read_file

EXIT_DIFFERS = 1
Function = Callable[[argparse.Namespace], int]


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's words to the command `risk`."""
    _add(words, "replay", _replay, "take all payments in anew, and compare every kept row")
    trying = _add(words, "backtest", _try, "try a rule file on the payments that were decided on")
    trying.add_argument("rules", type=parse_file, metavar="RULES", help="rule file")


def _add(
    words: argparse._SubParsersAction[argparse.ArgumentParser],
    word: str,
    function: Function,
    text: str,
) -> argparse.ArgumentParser:
    command = words.add_parser(word, help=text, description=text)
    command.add_argument(
        "--data", type=parse_folder, required=True, help="data folder of a node that does not run"
    )
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(function=function)
    return command


def _replay(options: argparse.Namespace) -> int:
    with needing_extra():
        from hansa.node.risk.audit.repeating import repeat, warm_up  # noqa: PLC0415 - an extra
    with open_journal(Home(options.data)) as journal:
        complain(f"{journal.event_count} events are taken in anew...")
        warm_up()
        begun_s = time.perf_counter()
        found = repeat(journal)
        taken_s = time.perf_counter() - begun_s
    told: dict[str, object] = {
        "events": found.events,
        "payments": found.payments,
        "rows_compared": found.compared,
        "of_other_features": found.other_sets,
        "shown_by_blocks": found.payments - found.compared - found.other_sets,
        "missing": found.missing,
        "differing": found.differing,
        "seconds": round(taken_s, 3),
        "events_per_second": round(found.events / taken_s) if taken_s else 0,
        "remembered_alike": found.is_remembered_same,
        "identical": found.is_identical,
    }
    if found.first is not None:
        told["first_difference"] = {
            "tx_id": found.first.tx_id.hex(),
            "number": found.first.number,
            "features": list(found.first.features),
        }
    if found.words:
        told["words"] = found.words
    print_found(told, is_json=options.json)
    return 0 if found.is_identical else EXIT_DIFFERS


def _try(options: argparse.Namespace) -> int:
    with needing_extra():
        from hansa.node.risk.audit.trying import try_rules  # noqa: PLC0415 - an extra
        from hansa.risk.intake.describing import FEATURES  # noqa: PLC0415
        from hansa.risk.rules.book import RULES_BYTES_MAX, load_rules  # noqa: PLC0415
    raw = read_file(options.rules, RULES_BYTES_MAX)
    rules = load_rules(raw, str(options.rules), FEATURES)
    with open_journal(Home(options.data)) as journal:
        found = try_rules(journal, rules)
    told = {
        "payments": found.payments,
        "frauds": found.frauds,
        "caught": found.caught,
        "alerts": found.alerts,
        "rules": [
            {**each._asdict(), "precision_permille": each.precision_permille}
            for each in found.rules
        ],
    }
    print_found(told, is_json=options.json)
    return 0
