"""Commands for transactions: tx show, send, read, sign, submit, commands."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hansa.cli.passphrase import ask_passphrase
from hansa.cli.screen import Sent, ask, complain, flush, print_found, print_table, say
from hansa.cli.source import (
    add_node,
    add_signing,
    add_source,
    open_client,
    open_home,
    parse_count,
    parse_file,
    parse_hash,
)
from hansa.cli.transactions import describe_body, describe_found, name_withheld, read_transaction
from hansa.contracts.actions import ACTIONS
from hansa.kernel.calendar import format_iso
from hansa.kernel.contract import Command
from hansa.kernel.crypto.address import from_text, to_text
from hansa.kernel.errors import HansaError, Invalid, InvalidCode, Refused, Unavailable
from hansa.kernel.genesis import VALIDITY_MAX_MS, Network
from hansa.kernel.transaction import decode_envelope
from hansa.node.api.codes import TOLD_BY_FACTS
from hansa.program import name_program
from hansa.sdk.answers import Transaction, TransactionResult
from hansa.sdk.arguments import (
    COMMANDS,
    describe_action,
    describe_command,
    parse_command,
    parse_json,
)
from hansa.sdk.build import VALIDITY_MS, SignedTransaction, build_unsigned
from hansa.sdk.client import Client
from hansa.sdk.envelope_file import PartialEnvelope, load_envelope, save_envelope
from hansa.sdk.keys import KeyPair, load_key

EXIT_REFUSED = 3
OK = "OK"
"""Status of a transaction that did what it says."""
VALIDITY_S = VALIDITY_MS // 1000
OFFLINE_VALIDITY_S = VALIDITY_MAX_MS // 1000 - 30
"""Almost the longest that a network takes, since people sign one after the other."""

PATIENCE_S = 30.0
"""How long a node may take to get to where blocks come, before nothing is sent to it."""
POLL_S = 0.5

WORDS = ("show", "send", "read", "sign", "submit", "commands")


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's commands to the parser."""
    tx = commands.add_parser("tx", help="show a transaction, or sign and send one")
    words = tx.add_subparsers(dest="word", required=True, metavar="WORD")
    show = words.add_parser("show", help="show a transaction and its receipt; tx ID is enough")
    show.add_argument("id", help="transaction id, 64 hexadecimal digits")
    add_source(show)
    show.set_defaults(function=_show)
    _add_send(words)
    for word, function, text in (
        ("read", _read, "show what an envelope file says"),
        ("submit", _submit, "send an envelope file that everybody has signed"),
    ):
        command = words.add_parser(word, help=text)
        command.add_argument("file", type=parse_file, help="envelope file")
        add_node(command)
        command.set_defaults(function=function)
    sign = words.add_parser("sign", help="show an envelope file, and add signatures to it")
    sign.add_argument("file", type=parse_file, help="envelope file")
    sign.add_argument("keys", type=parse_file, nargs="+", metavar="KEYFILE", help="who signs")
    sign.add_argument("--yes", action="store_true", help="sign without asking, as in a script")
    add_node(sign)
    sign.set_defaults(function=_sign)
    listing = words.add_parser("commands", help="list what can be called, and its fields")
    listing.add_argument("name", nargs="?", help="contract.command, or an action of proposals")
    listing.add_argument("--json", action="store_true", help="print one JSON object")
    listing.set_defaults(function=_list)


def _add_send(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    send = words.add_parser("send", help="sign a transaction of any contract's commands, send it")
    send.add_argument("keys", type=parse_file, nargs="+", metavar="KEYFILE", help="who signs")
    send.add_argument(
        "--call", action="append", required=True, metavar="NAME", help="contract.command; repeat"
    )
    send.add_argument(
        "--args", action="append", required=True, metavar="JSON", help="its fields; one a --call"
    )
    send.add_argument(
        "--offline", type=parse_file, metavar="FILE", help="write an envelope file instead"
    )
    send.add_argument(
        "--signer", action="append", default=[], metavar="ADDRESS", help="who signs later; repeat"
    )
    send.add_argument(
        "--validity", type=parse_count, metavar="SECONDS", help=f"default {VALIDITY_S}"
    )
    add_signing(send)
    send.set_defaults(function=_send)


def load_keys(paths: Sequence[Path]) -> list[KeyPair]:
    """Load key files, in their order; all open with one passphrase, or are asked for."""
    return [load_key(path, ask_passphrase(path)) for path in paths]


def send(
    client: Client,
    options: argparse.Namespace,
    keys: Sequence[KeyPair],
    commands: Sequence[Command],
    validity_ms: int = VALIDITY_MS,
    **more: str,
) -> int:
    """Sign and send a transaction, and print what became of it; returns the exit code.

    Args:
      client: talks to the node.
      options: of the command.
      keys: who signs.
      commands: what they sign.
      validity_ms: for how long.
      more: what to print beside the answer.

    Raises:
      Unavailable: nothing was sent, as the node stayed cut off or behind, or takes nothing.
      Sent: what became of it is not known, or cannot be printed.
    """
    answer = submit(client, options, keys, commands, validity_ms, **more)
    return tell_answer(client, answer, options, **more)


def submit(
    client: Client,
    options: argparse.Namespace,
    keys: Sequence[KeyPair],
    commands: Sequence[Command],
    validity_ms: int = VALIDITY_MS,
    **more: str,
) -> TransactionResult:
    """Sign and send a transaction, as `send` does, and print nothing; raises as it."""
    await_well(client, is_json=options.json)
    return submit_signed(client, options, client.sign(keys, commands, validity_ms), **more)


def submit_signed(
    client: Client, options: argparse.Namespace, signed: SignedTransaction, **more: str
) -> TransactionResult:
    """Send what is signed, as `send` does, and print nothing; raises as it."""
    valid_until_ms = decode_envelope(signed.envelope)[1].valid_until_ms
    try:
        return client.submit(signed.envelope)
    except (Unavailable, KeyboardInterrupt) as error:
        if isinstance(error, Unavailable) and "code" in error.facts:
            raise Unavailable(f"nothing was ordered: {error.message}", **error.facts) from None
        reason = error.facts["reason"] if isinstance(error, Unavailable) else "stopped"
        tx_id = signed.tx_id.hex()
        raise Sent(
            f"{reason!s}; but {_name_sent(tx_id, more)} was sent, and whether it was confirmed is "
            f"not known. Do not send it anew, but ask for it: {_ask_for(tx_id, options)}. "
            f"{_tell_end(client.get_network(), valid_until_ms)}",
            tx_id=tx_id,
            **more,
        ) from None


def await_well(client: Client, *, is_json: bool, patience_s: float = PATIENCE_S) -> None:
    """Wait until a node could confirm what it is sent; one that is behind could not even say so.

    Raises:
      Unavailable: it was not in time, so nothing was sent.
    """
    if not client.get_network().genesis.is_voted:
        return
    end_s = time.monotonic() + patience_s
    is_told = is_json
    while not (found := client.get_consensus()).is_well:
        if time.monotonic() >= end_s:
            raise Unavailable(f"nothing was sent, as the node could not confirm it: {found.text}")
        if not is_told:
            complain(f"Nothing is sent yet, for up to {patience_s:g} s: {found.text}")
            is_told = True
        time.sleep(POLL_S)


def tell_answer(
    client: Client,
    answer: TransactionResult | Transaction,
    options: argparse.Namespace,
    **more: str,
) -> int:
    """Print what became of a transaction; returns the exit code.

    What a rule refused is told on standard error; what it would have made (`more`) is not, as
    there is none. With `--json` its receipt stands on standard output all the same.

    Raises:
      Sent: it cannot be printed.
    """
    is_ok = answer.status == OK
    found = {**describe_found(answer), **(more if is_ok else {})}
    if answer.code in TOLD_BY_FACTS:
        with suppress(HansaError):
            kept = describe_found(client.get_transaction(bytes.fromhex(answer.tx_id)))
            found["meaning"] = kept.get("meaning", found["meaning"])
    try:
        if is_ok or options.json:
            print_found(found, is_json=options.json)
        flush()
    except (Unavailable, BrokenPipeError) as error:
        reason = error.message if isinstance(error, Unavailable) else "nobody reads it"
        became = "confirmed" if is_ok else f"refused ({answer.code})"
        raise Sent(
            f"{_name_sent(answer.tx_id, more)} was sent and {became}; only printing that failed: "
            f"{reason}. Do not send it anew: {_ask_for(answer.tx_id, options)} shows it",
            tx_id=answer.tx_id,
            status=answer.status,
            code=answer.code,
            **more,
        ) from None
    if is_ok:
        return 0
    _complain_refused(found, is_json=options.json)
    return EXIT_REFUSED


def _complain_refused(found: Mapping[str, Any], *, is_json: bool) -> None:
    """Say on standard error that a rule refused a transaction, and which."""
    tx_id, code = found["tx_id"], found["code"]
    meaning = found.get("meaning") or "See the contract's reference."
    message = f"nothing was changed: {meaning} ({code}; transaction {tx_id})"
    if is_json:
        told = {"error": Refused.__name__, "message": message, "code": code, "tx_id": tx_id}
        complain(json.dumps(told))
    else:
        complain(f"hansa: {message}")


def _name_sent(tx_id: str, more: Mapping[str, str]) -> str:
    facts = "".join(f", {name} {shlex.quote(text)}" for name, text in more.items())
    return f"the transaction {tx_id}{facts}"


def _tell_end(network: Network, valid_until_ms: int) -> str:
    """Say from when on it is certain that a transaction that is not there never will be."""
    end = format_iso(valid_until_ms, 0)
    if not network.genesis.is_voted:
        return f"What is not there after {end}, once the node answers, never will be"
    return (
        f"It is valid until {end}: what is not there on a node that says to have all blocks up to "
        "a later time never will be; a node that is behind or cut off proves nothing"
    )


def _ask_for(tx_id: str, options: argparse.Namespace) -> str:
    node = f" --node {shlex.quote(options.node)}" if options.node else ""
    return f"{name_program()} tx {tx_id}{node}"


def _show(options: argparse.Namespace) -> int:
    tx_id = parse_hash(options.id, "transaction id")
    if options.data is not None:
        found = read_transaction(open_home(options), tx_id)
    else:
        with open_client(options) as client:
            found = describe_found(client.get_transaction(tx_id))
    print_found(found if options.json else name_withheld(found), is_json=options.json)
    return 0


def _send(options: argparse.Namespace) -> int:
    commands = _parse_calls(options.call, options.args)
    if options.signer and options.offline is None:
        raise Invalid(InvalidCode.SIGNERS, "--signer goes with --offline: others sign the file")
    validity_ms = _read_validity(options)
    keys = load_keys(options.keys)
    with open_client(options) as client:
        if options.offline is not None:
            return _write(options, client, keys, commands, validity_ms)
        return send(client, options, keys, commands, validity_ms)


def _parse_calls(names: Sequence[str], arguments: Sequence[str]) -> list[Command]:
    if len(names) != len(arguments):
        raise Invalid(
            InvalidCode.ARGUMENTS,
            f"{len(names)} --call but {len(arguments)} --args: give one --args after each --call",
        )
    return [
        parse_command(name, parse_json(text)) for name, text in zip(names, arguments, strict=True)
    ]


def _read_validity(options: argparse.Namespace) -> int:
    """Read for how long the transaction is valid, in milliseconds."""
    usual = VALIDITY_S if options.offline is None else OFFLINE_VALIDITY_S
    seconds: int = usual if options.validity is None else options.validity
    if not 0 < seconds * 1000 <= VALIDITY_MAX_MS:
        raise Invalid(
            InvalidCode.TOO_FAR_AHEAD,
            f"--validity {seconds}: from 1 to {VALIDITY_MAX_MS // 1000} seconds",
        )
    return seconds * 1000


def _write(
    options: argparse.Namespace,
    client: Client,
    keys: Sequence[KeyPair],
    commands: Sequence[Command],
    validity_ms: int,
) -> int:
    """Write an envelope file with the signatures that are at hand."""
    network = client.get_network()
    signers = [key.address for key in keys] + [from_text(text) for text in options.signer]
    body = build_unsigned(signers, commands, client.get_valid_until(validity_ms))
    envelope = PartialEnvelope(network.genesis_hash, body)
    for key in keys:
        envelope = envelope.sign(network, key)
    save_envelope(options.offline, envelope)
    return _tell_envelope(options.offline, envelope, client, is_json=options.json)


def _tell_envelope(file: Path, envelope: PartialEnvelope, client: Client, *, is_json: bool) -> int:
    network = client.get_network()
    print_found(_describe_envelope(file, envelope, network), is_json=is_json)
    if not is_json:
        name = shlex.quote(str(file))
        following = f"sign {name} KEYFILE" if envelope.list_missing(network) else f"submit {name}"
        say(f"Next, before it expires:  {name_program()} tx {following}")
    return 0


def _describe_envelope(file: Path, envelope: PartialEnvelope, network: Network) -> dict[str, Any]:
    """Describe an envelope file by its body; raises `Invalid` if a signature does not verify."""
    return {
        "file": str(file),
        "tx_id": envelope.compute_tx_id(network).hex(),
        **describe_body(envelope.body),
        "missing": [to_text(signer) for signer in envelope.list_missing(network)],
    }


def _read(options: argparse.Namespace) -> int:
    envelope = load_envelope(options.file)
    with open_client(options) as client:
        return _tell_envelope(options.file, envelope, client, is_json=options.json)


def _sign(options: argparse.Namespace) -> int:
    """Show what an envelope file says, and sign it once somebody agrees."""
    file: Path = options.file
    envelope = load_envelope(file)
    with open_client(options) as client:
        network = client.get_network()
        found = _describe_envelope(file, envelope, network)
        if not options.json:
            print_table(found)
        if not options.yes:
            _ask_consent(file, is_json=options.json)
        envelope = _add_signatures(file, envelope, network, load_keys(options.keys))
        return _tell_envelope(file, envelope, client, is_json=options.json)


def _ask_consent(file: Path, *, is_json: bool) -> None:
    """Let somebody agree at the terminal to what was shown; raises `Invalid` otherwise."""
    if is_json or not sys.stdin.isatty():
        raise Invalid(
            InvalidCode.SIGNERS,
            f"nothing was signed: read what {file} says ({name_program()} tx read "
            f"{shlex.quote(str(file))} shows it), and say --yes, or agree at a terminal",
        )
    if not ask("Sign this? Type yes: "):
        raise Invalid(InvalidCode.SIGNERS, f"nothing was signed: {file} is as it was")


def _add_signatures(
    file: Path, shown: PartialEnvelope, network: Network, keys: Sequence[KeyPair]
) -> PartialEnvelope:
    """Sign what was shown and save it, with the signatures that others added meanwhile."""
    envelope = load_envelope(file)
    if (envelope.raw_body, envelope.genesis_hash) != (shown.raw_body, shown.genesis_hash):
        raise Invalid(
            InvalidCode.SIGNERS,
            f"nothing was signed: {file} says something else since it was shown; begin again",
        )
    for key in keys:
        envelope = envelope.sign(network, key)
    envelope.list_missing(network)  # refuses signatures that do not verify
    save_envelope(file, envelope, replace=True)
    return envelope


def _submit(options: argparse.Namespace) -> int:
    envelope = load_envelope(options.file)
    with open_client(options) as client:
        raw = envelope.complete(client.get_network())
        decode_envelope(raw)
        await_well(client, is_json=options.json)
        code = tell_answer(client, client.submit(raw), options)
    if code == EXIT_REFUSED and not options.json:
        complain(
            "A signed file counts once: sent again, it gets this answer. To try again, let a new "
            f"one be signed ({name_program()} tx send KEYFILE --offline NEWFILE, with the same "
            "calls)."
        )
    return code


def _list(options: argparse.Namespace) -> int:
    name: str | None = options.name
    if name is None:
        found: dict[str, Any] = {
            word: ", ".join(describe_command(word)) for word in sorted(COMMANDS)
        }
        found.update(
            {f"action {word}": ", ".join(describe_action(word)) for word in sorted(ACTIONS)}
        )
    else:
        found = describe_action(name) if name in ACTIONS else describe_command(name)
    print_found(found, is_json=options.json)
    return 0
