"""The word that measures our models on labelled payments of others' choice: evaluate."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from hansa.cli.risk.extra import needing_extra
from hansa.cli.screen import complain, print_found
from hansa.cli.source import parse_count, parse_file
from hansa.sdk.files import check_file

if TYPE_CHECKING:
    from hansa.risk.evaluation.handbook import Quality

DIGITS = 4


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's words to the command `risk`."""
    text = "train on some labelled payments, and measure on later ones"
    command = words.add_parser("evaluate", help=text, description=text)
    for name, what in (("--train", "that train: five weeks or more"), ("--test", "to test")):
        command.add_argument(
            name,
            type=parse_file,
            nargs="+",
            required=True,
            metavar="FILE",
            help=f"payments {what}; Parquet or CSV with the columns of the Handbook's data",
        )
    command.add_argument(
        "--full-history", action="store_true", help="train on all days before, not on a week"
    )
    command.add_argument(
        "--investigate",
        type=parse_count,
        metavar="CARDS",
        help="have an investigator look at so many cards a day, and learn from what is found",
    )
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(function=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    with needing_extra():
        from hansa.risk.evaluation.investigating import run_with_feedback  # noqa: PLC0415
        from hansa.risk.evaluation.payments import join, read_files  # noqa: PLC0415 - an extra
        from hansa.risk.evaluation.prequential import (  # noqa: PLC0415
            ALL_DAYS,
            Plan,
            average,
            evaluate,
            list_weeks,
        )
    for path in (*options.train, *options.test):
        check_file(path)
    trained, tested = read_files(options.train), read_files(options.test)
    complain(f"{len(trained.time_ms)} payments to train, {len(tested.time_ms)} to test...")
    plan = Plan(train_days=ALL_DAYS) if options.full_history else Plan()
    if options.investigate is None:
        weeks = evaluate(trained, tested, plan)
    else:
        payments = join(trained, tested)
        folds = list_weeks(trained, tested)
        weeks = run_with_feedback(payments, folds, plan, cards_a_day=options.investigate)
    each = [_round(week) for week in weeks]
    print_found({**_round(average(weeks)), "weeks": each}, is_json=options.json)
    return 0


def _round(quality: Quality) -> dict[str, float]:
    return {name: round(value, DIGITS) for name, value in quality._asdict().items()}
