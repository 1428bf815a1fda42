"""Commands that read a chain: audit, verify, block, tx."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from hansa.cli.screen import print_json, print_table, say
from hansa.engine.chain import Chain, find_envelope, list_envelopes
from hansa.kernel.block import decode_header, decode_receipt
from hansa.kernel.calendar import format_iso
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Invalid, InvalidCode, NotFound, Unavailable
from hansa.kernel.receipt_file import build_receipt_file, verify_receipt_file
from hansa.kernel.transaction import decode_envelope
from hansa.node.audit import audit_folder
from hansa.node.home import Home, open_chain_read_only
from hansa.node.verify import verify_folder

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
    _add_receipt(commands)


def _add_receipt(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    receipt = commands.add_parser("receipt", help="save a receipt file, or verify one offline")
    words = receipt.add_subparsers(dest="word", required=True, metavar="WORD")
    save = words.add_parser("save", help="write a transaction's receipt file")
    save.add_argument("id", help="transaction id, 64 hexadecimal digits")
    save.add_argument("file", type=Path, help="file to write")
    save.add_argument("--data", type=Path, required=True, help="data folder of a node")
    save.set_defaults(function=_save_receipt)
    check = words.add_parser("verify", help="verify a receipt file, without a node")
    check.add_argument("file", type=Path, help="receipt file")
    check.add_argument("--genesis", help="trusted genesis hash, 64 hexadecimal digits")
    for command in (save, check):
        command.add_argument("--json", action="store_true", help="print one JSON object")
    check.set_defaults(function=_verify_receipt)


def _save_receipt(options: argparse.Namespace) -> int:
    tx_id = _parse_hash(options.id, "transaction id")
    chain = open_chain_read_only(Home(options.data))
    try:
        height, index = chain.find_position(tx_id)
        record = chain.get_record(height)
        raw = build_receipt_file(chain.network, record, list_envelopes(record), index)
    finally:
        chain.close()
    try:
        options.file.write_bytes(raw)
    except OSError as error:
        raise Unavailable(f"cannot write {options.file}: {error.strerror}") from None
    _print({"file": str(options.file), "bytes": len(raw), "height": height}, is_json=options.json)
    return 0


def _verify_receipt(options: argparse.Namespace) -> int:
    trusted = None if options.genesis is None else _parse_hash(options.genesis, "genesis hash")
    try:
        raw = options.file.read_bytes()
    except OSError as error:
        raise NotFound(f"cannot read {options.file}: {error.strerror}") from None
    found = verify_receipt_file(raw, trusted)
    as_of = "the genesis you named" if found.is_genesis_trusted else "the genesis in the file"
    _print(
        {
            "valid": True,
            "tx_id": found.tx_id.hex(),
            "network": found.network,
            "genesis_hash": found.genesis_hash.hex(),
            "as_of": f"{as_of}; compare its hash with the network's own",
            "height": found.header.height,
            "time": format_iso(found.header.time_ms, 0),
            "index": found.index,
        },
        is_json=options.json,
    )
    return 0


def _parse_hash(text: str, what: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(text) != ID_DIGITS or not found:
        raise Invalid(InvalidCode.MALFORMED, f"{text!r} is no {what}: 64 hexadecimal digits")
    return found


def _audit(options: argparse.Namespace) -> int:
    home = Home(options.data)
    report = audit_folder(home.log_path, home.store_path, home.load_network())
    _print(report.to_json(), is_json=options.json)
    return 0 if report.audit_ok else EXIT_FINDINGS


def _verify(options: argparse.Namespace) -> int:
    home = Home(options.data)
    report = verify_folder(home.log_path, home.load_network())
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
    tx_id = _parse_hash(options.id, "transaction id")
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
