"""Commands that check and show the chain: audit, verify, block, receipt."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hansa.cli.screen import ProgressBar, print_found, say
from hansa.cli.source import add_source, open_client, open_home, parse_count, parse_file, parse_hash
from hansa.engine.cometbft.trail import read_votes
from hansa.engine.record_items import list_envelopes
from hansa.engine.snapshots.beginning import Base
from hansa.kernel.block import BlockRecord, decode_header, decode_receipt
from hansa.kernel.calendar import format_iso
from hansa.kernel.errors import Invalid, InvalidCode, Unavailable
from hansa.kernel.genesis import Network
from hansa.kernel.light.coverage import Coverage
from hansa.kernel.light.trail import (
    CHECKPOINT_BYTES_MAX,
    encode_checkpoint,
)
from hansa.kernel.light.votes import Votes, decode_votes
from hansa.kernel.receipt_file import (
    FILE_BYTES_MAX,
    VerifiedReceipt,
    build_receipt_file,
    verify_receipt_file,
)
from hansa.node.audit import audit, audit_folder
from hansa.node.home import Home, open_chain_read_only
from hansa.node.joining.checkpoints import describe_trail, load_checkpoint, read_checkpoint
from hansa.node.records import list_header_fields, list_seals
from hansa.node.verify import (
    VerifyReport,
    choose_processes,
    verify_blocks,
    verify_folder,
)
from hansa.program import name_program
from hansa.sdk.files import read_file, write_file

if TYPE_CHECKING:
    from hansa.sdk.client import Client

EXIT_FINDINGS = 1

Progress = Callable[[int], None]


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's commands to the parser."""
    for name, function, text in (
        ("audit", _audit, "rebuild all balances and the supply from receipts alone"),
        ("verify", _verify, "execute the chain again from genesis and compare every root"),
        ("block", _block, "show a block"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        if name == "block":
            command.add_argument("height", type=parse_count)
        else:
            _add_checkpoint(command)
        add_source(command)
        command.set_defaults(function=function)
    _add_receipt(commands)


def _add_receipt(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    receipt = commands.add_parser("receipt", help="save a receipt file, or verify one offline")
    words = receipt.add_subparsers(dest="word", required=True, metavar="WORD")
    save = words.add_parser("save", help="write a transaction's receipt file, verified")
    save.add_argument("id", help="transaction id, 64 hexadecimal digits")
    save.add_argument("file", type=parse_file, help="file to write; no other is replaced")
    add_source(save)
    save.set_defaults(function=_save_receipt)
    check = words.add_parser("verify", help="verify a receipt file, without a node")
    _add_trust(check)
    check.set_defaults(function=_verify_receipt)
    keep = words.add_parser(
        "checkpoint", help="keep whom a receipt file leads to, for verifying later ones from there"
    )
    _add_trust(keep)
    keep.add_argument("out", type=parse_file, help="checkpoint to write; no other file is replaced")
    keep.set_defaults(function=_keep_checkpoint)


def _add_trust(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", type=parse_file, help="receipt file")
    command.add_argument("--genesis", metavar="HASH", help="genesis hash of the network you mean")
    _add_checkpoint(command)
    command.add_argument("--json", action="store_true", help="print one JSON object")


def _add_checkpoint(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--checkpoint",
        type=parse_file,
        metavar="FILE",
        help="checkpoint that you kept: validators are followed from there, not from genesis",
    )


def _audit(options: argparse.Namespace) -> int:
    if options.data is None:
        with open_client(options) as client:
            network, height = client.get_network(), client.get_status().height
            votes = _fetch_votes(client, network, height)
            coverage = _cover(options, network, votes, height)
            with _open_remote(client, network, height) as (base, records):
                audited = audit(
                    records, network, progress=_show(height), coverage=coverage, base=base
                )
    else:
        home = open_home(options)
        network = home.load_network()
        coverage = _cover(options, network, _read_votes(home, network))
        audited = audit_folder(home.log_path, home.store_path, network, coverage=coverage)
    is_well = audited.audit_ok
    begun = _describe_base(audited.base_height, audited.base_hash, "audited")
    note = " ".join(filter(None, (begun, audited.describe_rows(), coverage.describe())))
    return _tell(audited.to_json(), network, is_well=is_well, is_json=options.json, note=note)


def _verify(options: argparse.Namespace) -> int:
    if options.data is None:
        with open_client(options) as client:
            network, height = client.get_network(), client.get_status().height
            votes = _fetch_votes(client, network, height)
            coverage = _cover(options, network, votes, height)
            with _open_remote(client, network, height) as (base, records):
                report = _verify_remote(base, records, network, height, coverage)
    else:
        home = open_home(options)
        network = home.load_network()
        coverage = _cover(options, network, _read_votes(home, network))
        report = verify_folder(home.log_path, network, coverage=coverage)
    begun = _describe_base(report.base_height, report.base_hash, "executed again")
    is_well, note = report.verify_ok, " ".join(filter(None, (begun, coverage.describe())))
    return _tell(report.to_json(), network, is_well=is_well, is_json=options.json, note=note)


def _cover(
    options: argparse.Namespace,
    network: Network,
    votes: Votes | None,
    due_height: int | None = None,
) -> Coverage:
    """Prepare to find what votes cover, from the checkpoint that is named, else from genesis."""
    path = options.checkpoint
    start = None if path is None else load_checkpoint(path, network)
    return Coverage(network, votes, start, due_height=due_height)


def _fetch_votes(client: Client, network: Network, height: int) -> Votes | None:
    """Ask a node for the votes on its newest block, which it cannot do without."""
    return decode_votes(client.fetch_votes(height)) if network.genesis.is_voted else None


def _read_votes(home: Home, network: Network) -> Votes | None:
    """Read the newest votes that the node has kept; they may be of some blocks before the last."""
    return read_votes(home.comet.path) if network.genesis.is_voted else None


@contextmanager
def _open_remote(
    client: Client, network: Network, height: int
) -> Iterator[tuple[Base | None, Iterator[BlockRecord]]]:
    """Open what a node's blocks begin from, None for genesis, and the blocks behind it."""
    from hansa.node.remote import iterate_remote, open_remote_base  # noqa: PLC0415 - loads HTTP

    with open_remote_base(client, network) as base:
        yield base, iterate_remote(client, height, 0 if base is None else base.head.height + 1)


def _verify_remote(
    base: Base | None,
    records: Iterator[BlockRecord],
    network: Network,
    height: int,
    coverage: Coverage,
) -> VerifyReport:
    processes = choose_processes(height - (0 if base is None else base.head.height))
    return verify_blocks(
        records, network, _show(height), base=base, processes=processes, coverage=coverage
    )


def _describe_base(height: int | None, header_hash: str | None, done: str) -> str:
    """Say from which checkpoint was begun, and what was not looked at; empty for genesis."""
    if height is None:
        return ""
    return (
        f"It began with the checkpoint of block {height}, of which the header's hash is "
        f"{header_hash}: older blocks are not kept there. The balances and all other rows of that "
        f"block were taken as its state root proves them. What the blocks up to {height} did was "
        f"not {done}: ask a node that keeps all blocks."
    )


def _show(height: int) -> Progress:
    bar = ProgressBar()
    return lambda done: bar.show("blocks", done + 1, height + 1)


def _tell(
    found: dict[str, Any], network: Network, *, is_well: bool, is_json: bool, note: str = ""
) -> int:
    """Print a report; says for which network it holds, and what it left out."""
    print_found({**found, "genesis_hash": network.genesis_hash.hex()}, is_json=is_json)
    if not is_json:
        if note:
            say(note)
        say("Nothing was found to be wrong." if is_well else "Something is wrong: see findings.")
    return 0 if is_well else EXIT_FINDINGS


def _block(options: argparse.Namespace) -> int:
    if options.data is None:
        with open_client(options) as client:
            found = client.get(f"/v1/blocks/{options.height}")
        found["time"] = _format_time(found)
    else:
        found = _read_block(open_home(options), options.height)
    if not options.json:
        ids = found.get("transactions")
        found["transactions"] = found.get("tx_count", 0) if ids is None else len(ids)
        for name in ("header", "seals"):  # for programs
            found.pop(name, None)
    print_found(found, is_json=options.json)
    return 0


def _format_time(found: dict[str, Any]) -> str:
    time_ms = found.get("time_ms")
    if not isinstance(time_ms, int) or not 0 <= time_ms <= 2**53:
        raise Unavailable("the node answers with a block that has no time")
    return format_iso(time_ms, 0)


def _read_block(home: Home, height: int) -> dict[str, Any]:
    chain = open_chain_read_only(home)
    try:
        network, record = chain.network, chain.get_record(height)
    finally:
        chain.close()
    header = decode_header(record.header)
    return {
        **list_header_fields(network, header),
        "header": record.header.hex(),
        "seals": list_seals(record.signatures),
        "dropped": len(record.dropped),
        "transactions": [decode_receipt(raw).tx_id.hex() for raw in record.receipts],
        "time": format_iso(header.time_ms, 0),
    }


def _save_receipt(options: argparse.Namespace) -> int:
    tx_id = parse_hash(options.id, "transaction id")
    found = _find_receipt(options, tx_id)
    raw = found.raw
    try:
        write_file(options.file, raw)
    except FileExistsError:
        raw = _require_same(options.file, found)
    print_found(
        {"file": str(options.file), "bytes": len(raw), "height": found.header.height},
        is_json=options.json,
    )
    return 0


def _require_same(path: Path, found: VerifiedReceipt) -> bytes:
    """Require that a file which is there proves the same; returns it, and leaves it as it is.

    Byte for byte it may be another: each node has the votes that reached it first.
    """
    raw = read_file(path, FILE_BYTES_MAX)
    try:
        kept = verify_receipt_file(raw, found.genesis_hash)
    except Invalid:
        raise _hold_something_else(path) from None
    if (kept.header_hash, kept.index) != (found.header_hash, found.index):
        raise _hold_something_else(path)
    return raw


def _hold_something_else(path: Path) -> Invalid:
    message = f"{path} exists already and holds something else: name another file"
    return Invalid(InvalidCode.MALFORMED, message, path=str(path))


def _find_receipt(options: argparse.Namespace, tx_id: bytes) -> VerifiedReceipt:
    """Get the receipt file of this transaction, verified.

    Raises:
      Invalid: what the node or the folder has is no receipt, or that of another transaction.
    """
    if options.data is None:
        with open_client(options) as client:
            return client.get_receipt(tx_id)
    raw, meant = _build_receipt(options, tx_id)
    found = verify_receipt_file(raw, meant)
    if found.tx_id != tx_id:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"the folder {options.data} leads to the receipt of {found.tx_id.hex()}: "
            f"{name_program()} doctor --data {options.data} says what is damaged",
        )
    return found


def _build_receipt(options: argparse.Namespace, tx_id: bytes) -> tuple[bytes, bytes]:
    home = open_home(options)
    network = home.load_network()
    chain = open_chain_read_only(home)
    try:
        height, index = chain.find_position(tx_id)
        record = chain.get_record(height)
    finally:
        chain.close()
    votes = _require_votes(home, network, record) if network.genesis.is_voted else None
    raw = build_receipt_file(network, record, list_envelopes(record), index, votes)
    return raw, network.genesis_hash


def _require_votes(home: Home, network: Network, record: BlockRecord) -> Votes:
    """Read the votes on a block, which a folder has of one recent block alone."""
    votes = read_votes(home.comet.path)
    header_hash = network.digest(network.header_prefix + record.header)
    if votes is not None and votes.signed_header.header.app_hash == header_hash:
        return votes
    raise Unavailable(
        f"the validators' votes on block {decode_header(record.header).height} are with CometBFT, "
        "not in the folder, which has those on one recent block alone: ask the node with --node "
        "URL in the place of --data, and start it first if it does not run"
    )


def _verify_receipt(options: argparse.Namespace) -> int:
    found = _verify_file(options)
    told: dict[str, Any] = {
        "valid": True,
        "tx_id": found.tx_id.hex(),
        "status": found.receipt.status.name,
        "code": found.receipt.code,
        "network": found.network,
        "genesis_hash": found.genesis_hash.hex(),
        "as_of": found.describe_trust(),
        "height": found.header.height,
        "time": format_iso(found.header.time_ms, 0),
        "index": found.index,
    }
    print_found(told | describe_trail(found.trail), is_json=options.json)
    return 0


def _verify_file(options: argparse.Namespace) -> VerifiedReceipt:
    """Verify the file that is named, as of what is trusted."""
    trusted = None if options.genesis is None else parse_hash(options.genesis, "genesis hash")
    checkpoint = None if options.checkpoint is None else read_checkpoint(options.checkpoint)
    raw = read_file(options.file, FILE_BYTES_MAX)
    try:
        return verify_receipt_file(raw, trusted, checkpoint)
    except Invalid as error:
        message = f"the receipt file {options.file} proves nothing: {error.message}"
        raise Invalid(error.code, message, **{**error.facts, "path": str(options.file)}) from None


def _keep_checkpoint(options: argparse.Namespace) -> int:
    if options.genesis is None and options.checkpoint is None:
        raise Invalid(
            InvalidCode.ARGUMENTS,
            "a checkpoint is worth what it was verified from: name the network with --genesis "
            "HASH, or an earlier checkpoint with --checkpoint FILE",
        )
    found = _verify_file(options)
    if found.trail is None:
        raise Invalid(
            InvalidCode.ARGUMENTS,
            f"{options.file} is of a sealed network, whose sealers genesis names: checkpoints are "
            "of networks whose validators vote",
        )
    end = found.trail.end
    content = encode_checkpoint(end)
    try:
        write_file(options.out, content)
    except FileExistsError:
        if read_file(options.out, CHECKPOINT_BYTES_MAX) != content:
            raise _hold_something_else(options.out) from None
    print_found(
        {
            "checkpoint": str(options.out),
            "genesis_hash": found.genesis_hash.hex(),
            "height": end.height,
            "time": format_iso(end.time.time_ms, 0),
            "validators": len(end.validators.validators),
            "as_of": found.describe_trust(),
        },
        is_json=options.json,
    )
    return 0
