"""Words about an operator's models: begin, and model add, list, show, promote and so on."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hansa.cli.risk.extra import needing_extra
from hansa.cli.screen import complain, print_found, print_json, print_table, say
from hansa.cli.source import parse_file, parse_folder, parse_hash
from hansa.kernel.calendar import format_iso
from hansa.kernel.errors import NotFound
from hansa.node.home import Home
from hansa.sdk.files import read_file

if TYPE_CHECKING:
    from hansa.node.risk.registry import Registry, Roles
    from hansa.node.risk.screening import Screening
    from hansa.risk.models.file import Model

Function = Callable[[argparse.Namespace], int]


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's words to the command `risk`."""
    _add(words, "begin", _begin, "decide by the model, policy and rules that ship with Hansa")
    _add(words, "check", _check, "check policy, rules and lists, and print the hash to declare")
    word = words.add_parser("model", help="an operator's models, and which of them decides")
    steps = word.add_subparsers(dest="step", required=True, metavar="STEP")
    adding = _add(steps, "add", _add_file, "check a model file, and keep it; it has no role yet")
    adding.add_argument("file", type=parse_file, metavar="FILE", help="model file")
    _add(steps, "list", _list, "the models that are kept, and which of them decides")
    show = _add(steps, "show", _show, "what a model was made of, how good it was, and its card")
    show.add_argument("model", nargs="?", metavar="MODEL", help="its hash; without it, who decides")
    promote = _add(steps, "promote", _promote, "have a model decide, from the next payments on")
    promote.add_argument("model", metavar="MODEL", help="its hash")
    _add(steps, "rollback", _roll_back, "have the model decide that decided before")
    _add(steps, "stop", _stop, "have no model decide; the policy's [unscored] holds then")
    challenge = _add(steps, "challenge", _challenge, "ask a model beside the one that decides")
    challenge.add_argument(
        "model", nargs="?", metavar="MODEL", help="its hash; without it, none is asked any more"
    )


def _add(
    steps: argparse._SubParsersAction[argparse.ArgumentParser],
    step: str,
    function: Function,
    text: str,
) -> argparse.ArgumentParser:
    command = steps.add_parser(step, help=text, description=text)
    command.add_argument(
        "--data", type=parse_folder, required=True, help="data folder of the node, running or not"
    )
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(function=function)
    return command


def open_registry(options: argparse.Namespace) -> Registry:
    """Open the models of the data folder that the options name.

    Raises:
      NotFound: there is no node in it.
      Unavailable: the extra is not installed.
    """
    with needing_extra():
        from hansa.node.risk.registry import MODELS, Registry  # noqa: PLC0415 - loads numba
        from hansa.risk.intake.describing import FEATURES  # noqa: PLC0415
    return Registry(find_risk_folder(options.data) / MODELS, FEATURES)


def find_risk_folder(data: Path) -> Path:
    """Find the folder of risk control in a node's data folder; raises `NotFound`."""
    home = Home(data)
    if not home.exists():
        raise NotFound(f"there is no node in {home.path}", path=str(home.path))
    return home.risk_path


def _begin(options: argparse.Namespace) -> int:
    with needing_extra():
        from hansa.node.risk.beginning import begin  # noqa: PLC0415 - loads numba
    begun = begin(find_risk_folder(options.data))
    found = {"model": begun.model_id.hex(), "policy": begun.policy_hash.hex()}
    print_found(found, is_json=options.json)
    if not options.json:
        say(
            "A node with [risk] decides = true in its settings decides by these, and asks the "
            "model once it is in force on the ledger: proposed, approved by a second officer, and "
            "declared by both under this policy."
        )
    return 0


def _check(options: argparse.Namespace) -> int:
    with needing_extra():
        from hansa.node.risk.loading import RiskFolder  # noqa: PLC0415 - loads numba
    folder = RiskFolder(find_risk_folder(options.data))
    loaded = folder.loaded
    found = {
        "policy": loaded.policy_hash.hex(),
        "version": loaded.policy.version,
        "rules": len(loaded.rules),
        "listed": len(loaded.lists),
        "merchants": len(loaded.merchants),
        "model": None if folder.registry.champion is None else loaded.model_id.hex(),
        "faults": list(folder.registry.faults),
        "screening": None if loaded.screening is None else _tell_screening(loaded.screening),
    }
    print_found(found, is_json=options.json)
    return 1 if folder.registry.faults else 0


def _tell_screening(found: Screening) -> dict[str, object]:
    now_ms = time.time_ns() // 1_000_000
    cleared = sum(each.is_cleared(now_ms) for each in found.hits)
    return {
        "customers": found.customers,
        "hits": len(found.hits) - cleared,
        "cleared": cleared,
        "entries": found.entries,
        "left_out": found.left_out,
        "findings": list(found.findings),
    }


def _add_file(options: argparse.Namespace) -> int:
    registry = open_registry(options)
    from hansa.risk.models.file import FILE_BYTES_MAX  # noqa: PLC0415 - loads numba

    model = registry.add(read_file(options.file, FILE_BYTES_MAX), str(options.file))
    print_found(_describe(model), is_json=options.json)
    return 0


def _list(options: argparse.Namespace) -> int:
    registry = open_registry(options)
    listed = [
        {
            "model": each.model_id,
            "name": each.model.manifest.name if each.model else None,
            "made": _write_time(each.model) if each.model else None,
            "role": _name_role(registry.roles, each.model_id),
            "fault": each.fault,
        }
        for each in registry.list_models()
    ]
    if options.json:
        print_json(
            {
                "models": listed,
                "is_stopped": registry.roles.is_stopped,
                "faults": list(registry.faults),
            }
        )
        return 0
    for row in listed:
        print_table({key: value for key, value in row.items() if value is not None})
    if not listed:
        say("no models are kept here")
    _tell_standing(registry)
    return 0


def _tell_standing(registry: Registry) -> None:
    """Tell people whether a model decides, and what is at fault."""
    for fault in registry.faults:
        complain(f"fault: {fault}")
    if registry.roles.is_stopped:
        say("all models are stopped: promote one, or roll back, to have one decide again")
    elif registry.champion is None:
        loaded = "; what a node loaded before does until it ends" if registry.faults else ""
        say(f"no model decides{loaded}")


def _show(options: argparse.Namespace) -> int:
    registry = open_registry(options)
    model_id = options.model or registry.roles.champion
    if model_id is None:
        raise NotFound("no model was promoted yet: name one by its hash")
    model = registry.get(_parse(model_id))
    manifest = model.manifest
    found = {
        **_describe(model),
        "role": _name_role(registry.roles, model_id),
        "signed_by": model.signed.public_key.hex(),
        "trees": len(model.trees.roots),
        "features": len(manifest.features),
        "sources": [
            {
                "name": each.name,
                "use": each.use,
                "rows": each.rows,
                "frauds": each.frauds,
                "sha256": each.sha256.hex(),
            }
            for each in manifest.sources
        ],
        "metrics": {each.name: each.millionths / 1_000_000 for each in manifest.metrics},
        "purpose": manifest.card.purpose,
        "limits": manifest.card.limits,
        "made_by": manifest.card.made_by,
    }
    print_found(found, is_json=options.json)
    return 0


def _promote(options: argparse.Namespace) -> int:
    registry = open_registry(options)
    registry.promote(_parse(options.model))
    return _tell_roles(registry, options)


def _roll_back(options: argparse.Namespace) -> int:
    registry = open_registry(options)
    registry.rollback()
    return _tell_roles(registry, options)


def _stop(options: argparse.Namespace) -> int:
    registry = open_registry(options)
    registry.stop()
    return _tell_roles(registry, options)


def _challenge(options: argparse.Namespace) -> int:
    registry = open_registry(options)
    registry.set_challenger(None if options.model is None else _parse(options.model))
    return _tell_roles(registry, options)


def _tell_roles(registry: Registry, options: argparse.Namespace) -> int:
    roles = registry.roles
    found = {
        "champion": roles.champion,
        "earlier": list(roles.earlier),
        "challenger": roles.challenger,
        "is_stopped": roles.is_stopped,
    }
    print_found(found, is_json=options.json)
    return 0


def _parse(text: str) -> str:
    return parse_hash(text, "hash of a model").hex()


def _name_role(roles: Roles, model_id: str) -> str | None:
    if model_id == roles.champion:
        return "champion, stopped" if roles.is_stopped else "champion"
    if model_id == roles.challenger:
        return "challenger"
    return "earlier" if model_id in roles.earlier else None


def _describe(model: Model) -> dict[str, object]:
    return {
        "model": model.manifest.model_id.hex(),
        "name": model.manifest.name,
        "made": _write_time(model),
    }


def _write_time(model: Model) -> str:
    return format_iso(model.manifest.made_ms, 0)
