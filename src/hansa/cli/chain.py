"""Commands that read a chain: audit, verify, block, tx."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from hansa.cli.screen import ProgressBar, print_json, print_table, say
from hansa.engine.chain import Chain, find_envelope
from hansa.engine.store import StateStore
from hansa.kernel.block import decode_header, decode_receipt
from hansa.kernel.calendar import format_iso
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.transaction import decode_envelope
from hansa.node.audit import audit
from hansa.node.home import Home, open_chain_read_only
from hansa.node.verify import verify

EXIT_FINDINGS = 1
ID_DIGITS = 64


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's commands to the parser."""
    for name, function, text in (
        ("audit", _audit, "rebuild all balances and the supply from receipts alone"),
        ("verify", _verify, "execute the chain again from genesis and compare every root"),
        ("block", _block, "show a block"),
        ("tx", _tx, "show a transaction and its receipt"),
    ):
        command = commands.add_parser(name, help=text)
        if name == "block":
            command.add_argument("height", type=int)
        if name == "tx":
            command.add_argument("id", help="transaction id, 64 hexadecimal digits")
        command.add_argument("--data", type=Path, required=True, help="data folder of a node")
        command.add_argument("--json", action="store_true", help="print one JSON object")
        command.set_defaults(function=function)


def _audit(options: argparse.Namespace) -> int:
    chain = open_chain_read_only(Home(options.data))
    try:
        checkpoint = chain.head.checkpoint_height
        records = (
            record
            for record in chain.iterate_records(0)
            if decode_header(record.header).height <= checkpoint
        )
        report = audit(records, chain.network, chain.iterate_rows)
    finally:
        chain.close()
    _print(report.to_json(), is_json=options.json)
    return 0 if report.audit_ok else EXIT_FINDINGS


def _verify(options: argparse.Namespace) -> int:
    bar = ProgressBar()
    chain = open_chain_read_only(Home(options.data))
    height_max = chain.head.height
    with tempfile.TemporaryDirectory(prefix="hansa-verify-") as folder:
        scratch = StateStore.open(Path(folder) / "store")
        try:
            report = verify(
                chain.iterate_records(0),
                chain.network,
                scratch,
                lambda height: bar.show("blocks", height, height_max),
            )
        finally:
            scratch.close()
            chain.close()
    _print(report.to_json(), is_json=options.json)
    return 0 if report.verify_ok else EXIT_FINDINGS


def _block(options: argparse.Namespace) -> int:
    chain = open_chain_read_only(Home(options.data))
    try:
        record = chain.get_record(options.height)
    finally:
        chain.close()
    header = decode_header(record.header)
    found: dict[str, Any] = {
        name: value.hex() if isinstance(value, bytes) else value
        for name, value in zip(
            header.__struct_fields__,
            (getattr(header, field) for field in header.__struct_fields__),
            strict=True,
        )
    }
    found["time"] = format_iso(header.time_ms, 0)
    found["dropped"] = len(record.dropped)
    found["transactions"] = [decode_receipt(raw).tx_id.hex() for raw in record.receipts]
    if not options.json:
        found["transactions"] = len(record.receipts)
    _print(found, is_json=options.json)
    return 0


def _tx(options: argparse.Namespace) -> int:
    try:
        tx_id = bytes.fromhex(options.id)
    except ValueError:
        tx_id = b""
    if len(options.id) != ID_DIGITS or not tx_id:
        raise Invalid(
            InvalidCode.MALFORMED, f"{options.id!r} is no transaction id: 64 hexadecimal digits"
        )
    chain = open_chain_read_only(Home(options.data))
    try:
        found = _describe_transaction(chain, tx_id)
    finally:
        chain.close()
    _print(found, is_json=options.json)
    return 0


def _describe_transaction(chain: Chain, tx_id: bytes) -> dict[str, Any]:
    height, index = chain.find_position(tx_id)
    record = chain.get_record(height)
    envelope, sponsor, attestation = find_envelope(record, index)
    _, body = decode_envelope(envelope)
    receipt = decode_receipt(record.receipts[index])
    return {
        "tx_id": tx_id.hex(),
        "height": height,
        "index": index,
        "time": format_iso(decode_header(record.header).time_ms, 0),
        "status": receipt.status.name,
        "code": receipt.code,
        "facts": dict(dict(record.facts).get(index, ())),
        "signers": [to_text(signer) for signer in body.signers],
        "sponsor": to_text(sponsor),
        "attestation": attestation.hex() if attestation else "",
        "calls": [f"{call.contract}.{call.command}" for call in body.calls],
        "events": [_describe_event(event) for event in receipt.events],
    }


def _describe_event(event: tuple[str, str, list[Any]]) -> dict[str, Any]:
    contract, name, fields = event
    return {
        "event": f"{contract}.{name}",
        "changes": [
            {
                "ledger": ledger,
                "owner": to_text(owner),
                "asset": asset,
                "amount_minor": str(amount),
                "balance_minor": str(balance),
            }
            for ledger, owner, asset, amount, balance, _ in fields[0]
        ],
    }


def _print(found: dict[str, Any], *, is_json: bool) -> None:
    if is_json:
        print_json(found)
    else:
        print_table(found)
        if "findings" in found and not found["findings"]:
            say("Nothing was found to be wrong.")
