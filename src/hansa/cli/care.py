"""Commands that care for a node's folder: doctor, backup, restore."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from hansa.cli.passphrase import get_passphrase
from hansa.cli.screen import ProgressBar, print_found, print_json, say
from hansa.cli.source import parse_folder
from hansa.engine.backup import Manifest, check_backup
from hansa.kernel.errors import Invalid
from hansa.node.doctor.checks import Check, Status
from hansa.node.doctor.examination import check_home, describe_checks, is_well
from hansa.node.home import CHANNEL_KEY, NODE_KEY, SPONSOR_KEY, Home, backup_home, restore_home
from hansa.program import name_program

EXIT_FINDINGS = 1
MARKS = {Status.OK: "ok  ", Status.WARN: "warn", Status.FAIL: "FAIL"}


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's commands to the parser."""
    doctor = commands.add_parser("doctor", help="say what is wrong with a node, and what to do")
    doctor.set_defaults(function=_doctor)
    save = commands.add_parser("backup", help="back a data folder up, while its node runs or not")
    save.add_argument("target", type=parse_folder, help="folder to make; must not exist")
    save.add_argument("--keys", action="store_true", help="take the encrypted key files along")
    save.set_defaults(function=_backup)
    back = commands.add_parser("restore", help="restore a backup into a new data folder")
    back.add_argument("backup", type=parse_folder, help="folder of a backup")
    back.set_defaults(function=_restore)
    what = back.add_mutually_exclusive_group(required=True)
    what.add_argument("--data", type=parse_folder, help="data folder to make: new or empty")
    what.add_argument("--check", action="store_true", help="only say whether it could be restored")
    for command in (doctor, save):
        command.add_argument(
            "--data", type=parse_folder, required=True, help="data folder of the node"
        )
    for command in (doctor, save, back):
        command.add_argument("--json", action="store_true", help="print one JSON object")


def _doctor(options: argparse.Namespace) -> int:
    checks = check_home(options.data, passphrase=get_passphrase())
    if options.json:
        print_json({"ok": is_well(checks), "checks": [check.to_json() for check in checks]})
    else:
        for check in checks:
            _tell(check)
        say(describe_checks(checks))
    return 0 if is_well(checks) else EXIT_FINDINGS


def _tell(check: Check) -> None:
    where = f" ({check.where})" if check.where else ""
    say(f"{MARKS[check.status]}  {check.name}: {check.found}{where}")
    if check.mend:
        say(f"      → {check.mend}")


def _backup(options: argparse.Namespace) -> int:
    bar = ProgressBar()
    report = backup_home(
        Home(options.data),
        options.target,
        with_keys=options.keys,
        progress=lambda done, total: bar.show("blocks", done, total),
    )
    print_found(report.to_json(), is_json=options.json)
    if not options.json and not options.keys:
        say("Key files are not in it: keep them elsewhere, or ask for them with --keys.")
    return 0


def _restore(options: argparse.Namespace) -> int:
    if options.check:
        report = check_backup(options.backup)
        print_found(report.to_json(), is_json=options.json)
        if not options.json:
            say("The backup is whole, and its log ends with the block of its manifest.")
        return 0
    report = restore_home(options.backup, options.data)
    print_found(report.to_json(), is_json=options.json)
    if not options.json:
        _say_next(Home(options.data), report.manifest, options.backup)
    return 0


def list_own_keys(home: Home) -> list[str]:
    """List which key files a node needs, where they go, and what each is for, in lines."""
    uses = {SPONSOR_KEY: "signs batches", CHANNEL_KEY: "opens messages of other members"}
    if not home.load_network().genesis.is_voted:
        uses = {NODE_KEY: "seals blocks", **uses}
    return [f"  {home.key_path(name)}  {use}" for name, use in uses.items()]


def _say_next(home: Home, manifest: Manifest, backup: Path) -> None:
    """Say what a restored node needs before it runs."""
    hansa, data = name_program(), shlex.quote(str(home.path))
    is_voted, has_keys = home.load_network().genesis.is_voted, manifest.has_keys
    if is_voted and (why := _find_why_not_to_run(home)):
        say(f"Here it can be read, but not run: {why}.")
        say("Now:")
        say(f"  {hansa} audit --data {data}")
        say(f"  {hansa} verify --data {data}")
        say("To run the node, restore it into such a folder:")
        say(f"  {hansa} restore {shlex.quote(str(backup))} --data DIR")
        return
    if is_voted and manifest.first_height > 0:
        say(
            f"It begins with block {manifest.first_height}: audit, verify, and read it as it is "
            f"({hansa} audit --data {data}). CometBFT cannot be told of older blocks, so to run "
            "the node again, remove log, store and snapshots from the folder, name other nodes as "
            "cometbft.join_from in its node.toml, and it will join the network from a snapshot of "
            "theirs (docs/how-to/run-a-network.md)."
        )
        return
    if not has_keys:
        say("Now put its key files back, from where they were kept:")
        for line in list_own_keys(home):
            say(line)
        say("Then:")
    elif is_voted:
        say("Now:")
    if is_voted:
        say(f"  {hansa} network key new --data {data}")
    if is_voted or not has_keys:
        say(f"  {hansa} doctor --data {data}")
        say(f"  {hansa} up --data {data}")
    if is_voted:
        say("What its consensus key signed last is in no backup: it votes with a new one.")
    else:
        say("Never run this node beside the one that was backed up: both hold one sealing key.")


def _find_why_not_to_run(home: Home) -> str:
    """Find why CometBFT could not run in a folder; empty if it could."""
    try:
        home.comet.require_socket_paths()
    except Invalid as error:
        return error.message
    return ""
