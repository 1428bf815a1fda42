"""`hansa manifest verify`: a result's files are as its manifest says, and that is on record."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from hansa.cli.screen import print_found
from hansa.cli.source import parse_file, parse_folder, read_genesis_hash
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Invalid, NotFound
from hansa.sdk.files import read_file

if TYPE_CHECKING:
    from hansa.sdk.evidence import VerifiedEvidence

EXIT_FINDINGS = 1


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `manifest` to the parser."""
    manifest = commands.add_parser("manifest", help="verify a result of reconcile, without a node")
    words = manifest.add_subparsers(dest="word", required=True, metavar="WORD")
    verify = words.add_parser(
        "verify", help="are its files as its manifest says, and was that notarised?"
    )
    verify.add_argument("folder", type=parse_folder, help="folder that reconcile wrote, --out")
    verify.add_argument(
        "--evidence", type=parse_file, metavar="FILE", help="evidence file (default: beside it)"
    )
    verify.add_argument("--genesis", metavar="HASH", help="genesis hash of the network you mean")
    verify.add_argument(
        "--checkpoint", type=parse_file, metavar="FILE", help="checkpoint that you kept"
    )
    verify.add_argument("--json", action="store_true", help="print one JSON object")
    verify.set_defaults(function=_verify)


def _verify(options: argparse.Namespace) -> int:
    from hansa.cli.identity.notarising import place_evidence  # noqa: PLC0415
    from hansa.cli.identity.reading import read_content, write_moment  # noqa: PLC0415
    from hansa.reconcile.batch.manifest import BYTES_MAX, MANIFEST, check_folder  # noqa: PLC0415
    from hansa.sdk.evidence import EVIDENCE_SUFFIX  # noqa: PLC0415

    folder: Path = options.folder
    raw = read_content(folder / MANIFEST, BYTES_MAX)
    checked = check_folder(folder, raw)
    findings = list(checked.findings)
    place = options.evidence or place_evidence(folder / MANIFEST, None)
    found = _find_evidence(options, place, raw, findings)
    told: dict[str, object] = {
        "manifest_ok": not findings,
        "result_sha256": checked.result_sha256,
        "files": checked.files,
    }
    if found is not None:
        moment = found.time_ms
        told |= {
            "notary": to_text(found.notary),
            **({"time_ms": moment} if options.json else {"time": write_moment(moment)}),
            "height": found.receipt.header.height,
            "tx_id": found.receipt.tx_id.hex(),
            "genesis_hash": found.receipt.genesis_hash.hex(),
            "is_trusted": options.genesis is not None or options.checkpoint is not None,
        }
    told["others"] = [each for each in checked.others if each != f"{MANIFEST}{EVIDENCE_SUFFIX}"]
    told["findings"] = findings
    print_found(told, is_json=options.json)
    return EXIT_FINDINGS if findings else 0


def _find_evidence(
    options: argparse.Namespace, place: Path, raw: bytes, findings: list[str]
) -> VerifiedEvidence | None:
    """Find what proves when a manifest was notarised, and by whom; adds what is wrong with it."""
    from hansa.node.joining.checkpoints import read_checkpoint  # noqa: PLC0415 - loads the machine
    from hansa.sdk.evidence import FILE_BYTES_MAX, verify_evidence_file  # noqa: PLC0415

    genesis = read_genesis_hash(options)
    checkpoint = read_checkpoint(options.checkpoint) if options.checkpoint else None
    try:
        evidence = read_file(place, FILE_BYTES_MAX)
    except NotFound:
        findings.append(
            f"the manifest was not notarised, or its evidence is elsewhere than {place}"
        )
        return None
    try:
        found = verify_evidence_file(evidence, genesis, checkpoint)
    except Invalid as error:
        findings.append(f"{place}: {error.message}")
        return None
    if not found.is_of(raw):
        findings.append(f"the manifest is not the one that {place} is of")
    return found
