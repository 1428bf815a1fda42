"""`hansa risk train`: make a model of simulated cities."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from hansa.cli.passphrase import ask_passphrase
from hansa.cli.risk.extra import needing_extra
from hansa.cli.screen import ProgressBar, print_found
from hansa.cli.source import parse_count, parse_file
from hansa.kernel.errors import Invalid, InvalidCode, NotFound
from hansa.node.service import wall_clock_ms
from hansa.sdk.files import write_file
from hansa.sdk.keys import KeyPair, load_key

if TYPE_CHECKING:
    from hansa.risk.decisions.policy import Policy
    from hansa.risk.models.file import Signed

LEAVES = 31


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's word to the command `risk`."""
    text = "make a model of simulated cities, measured on cities that it has not seen"
    train = words.add_parser("train", help=text, description=text)
    train.add_argument("--out", type=parse_file, required=True, metavar="FILE", help="model file")
    train.add_argument(
        "--key", type=parse_file, required=True, metavar="KEYFILE", help="of who vouches for it"
    )
    train.add_argument(
        "--policy", type=parse_file, metavar="FILE", help="write a policy file with thresholds, too"
    )
    train.add_argument("--made-by", default="", metavar="TEXT", help="who made it, for its card")
    for option, default, what in (
        ("--seed", 1, "another one, other cities"),
        ("--cities", 4, "that train; as many calibrate, and as many test"),
        ("--days", 30, "of each city, from its first one on"),
        ("--persons", 4_000, "of each city"),
        ("--illicit-per-million", 5_000, "payments of a million that are part of a crime"),
        ("--trees", 200, f"of {LEAVES} leaves"),
    ):
        train.add_argument(
            option, type=parse_count, default=default, metavar="N", help=f"{what} ({default})"
        )
    train.add_argument("--json", action="store_true", help="print one JSON object")
    train.set_defaults(function=_train)


def _train(options: argparse.Namespace) -> int:
    with needing_extra():
        from hansa.risk.models.file import TREES_MAX  # noqa: PLC0415 - loads numba
        from hansa.risk.shipped.making import SHAPE, Plan, make  # noqa: PLC0415 - loads LightGBM
    for path in (options.out, options.policy):
        _require_free(path)
    if options.policy is not None and options.policy.resolve() == options.out.resolve():
        raise Invalid(InvalidCode.ARGUMENTS, "--policy names the file of --out: name another")
    key = load_key(options.key, ask_passphrase(options.key))
    if not 1 <= options.trees <= TREES_MAX:
        told = f"--trees {options.trees}: a model has 1 to {TREES_MAX}"
        raise Invalid(InvalidCode.ARGUMENTS, told)
    plan = Plan(
        options.seed,
        options.cities,
        options.days,
        options.persons,
        options.illicit_per_million,
        SHAPE._replace(trees=options.trees, leaves=LEAVES),
    )
    made = make(plan, wall_clock_ms(), options.made_by or key.address_text, ProgressBar().show)
    write_file(options.out, made.sign(lambda message: _sign(key, message)))
    if options.policy is not None:
        write_file(options.policy, write_policy(made.policy).encode())
    manifest = made.manifest
    found = {
        "file": str(options.out),
        "model": manifest.model_id.hex(),
        "arrays_sha256": manifest.arrays_sha256.hex(),
        "metrics": {each.name: each.millionths / 1_000_000 for each in manifest.metrics},
        "thresholds": {
            name: {"ppm": each.ppm, "alerts": each.alerts, "frauds": each.frauds}
            for name, each in zip(("step_up", "review", "block"), made.chosen, strict=True)
        },
        "payments_that_train": sum(
            each.rows for each in manifest.sources if each.use == "training"
        ),
    }
    print_found(found, is_json=options.json)
    return 0


def write_policy(policy: Policy) -> str:
    """Write a policy file."""
    thresholds = policy.thresholds
    return (
        f"version = {policy.version}\n\n"
        "[thresholds]  # probabilities of fraud, in millionths\n"
        f"step_up_ppm = {thresholds.step_up_ppm:_}\n"
        f"review_ppm = {thresholds.review_ppm:_}\n"
        f"block_ppm = {thresholds.block_ppm:_}\n\n"
        "[unscored]\n"
        f"review_from_minor = {policy.unscored.review_from_minor:_}\n"
    )


def _require_free(path: Path | None) -> None:
    if path is not None and path.exists():
        raise Invalid(InvalidCode.ARGUMENTS, f"{path} exists already: nothing is overwritten")
    if path is not None and not path.parent.is_dir():
        raise NotFound(f"there is no folder {path.parent}", path=str(path.parent))


def _sign(key: KeyPair, message: bytes) -> Signed:
    from hansa.risk.models.file import Signed  # noqa: PLC0415 - loads numba

    return Signed(int(key.suite), key.public_key, key.sign(message))
