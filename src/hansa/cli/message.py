"""Commands for messages to and from other members: message send, sent, list, show, take."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from hansa.cli.screen import print_found, print_json, say
from hansa.cli.source import add_node, find_member, open_client, parse_count, parse_file
from hansa.kernel.calendar import format_iso
from hansa.kernel.errors import Invalid, InvalidCode, NotFound
from hansa.kernel.messages import Topic
from hansa.sdk.files import read_file, write_file
from hansa.sdk.messages import ID_BYTES, ReceivedMessage, SentMessage

CONTENT_BYTES_MAX = 2**20
HOUR_MS = 3_600_000
HOURS_MAX = 720
WAIT_S_MAX = 3_600
LISTED = 50


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's commands to the parser."""
    message = commands.add_parser("message", help="write to other members, read what they wrote")
    words = message.add_subparsers(dest="word", required=True, metavar="WORD")
    send = words.add_parser("send", help="send a message through one's own node")
    send.add_argument("member", help="recipient: its name on the ledger, or its address")
    send.add_argument("topic", help="what it is about, as reconcile.case")
    what = send.add_mutually_exclusive_group(required=True)
    what.add_argument("--text", help="what to send")
    what.add_argument("--file", type=parse_file, help="file to send; - for standard input")
    send.add_argument(
        "--hours", type=parse_count, default=24, help=f"until it expires, 1 to {HOURS_MAX}"
    )
    send.add_argument(
        "--wait",
        type=parse_count,
        metavar="SECONDS",
        default=0,
        help="wait until it is acknowledged or has expired",
    )
    send.set_defaults(function=_send)
    sent = words.add_parser("sent", help="show what became of a message, or of the newest ones")
    sent.add_argument("id", nargs="?", help="of the message, as send printed it")
    sent.set_defaults(function=_sent)
    listed = words.add_parser("list", help="list messages that wait to be taken, oldest first")
    listed.add_argument("--topic", help="of these alone")
    listed.add_argument("--after", type=parse_count, default=0, help="number behind which to begin")
    listed.set_defaults(function=_list)
    show = words.add_parser("show", help="show a message that waits, with its content")
    show.add_argument("--output", type=parse_file, help="new file for the content")
    show.set_defaults(function=_show)
    take = words.add_parser("take", help="say that a message was worked off: its content goes")
    take.set_defaults(function=_take)
    for command in (show, take):
        command.add_argument("number", type=parse_count, help="as list shows it")
    for command in (send, sent, listed, show, take):
        add_node(command)


def _send(options: argparse.Namespace) -> int:
    if not 1 <= options.hours <= HOURS_MAX:
        raise Invalid(
            InvalidCode.ARGUMENTS, f"--hours {options.hours}: choose 1 to {HOURS_MAX} (30 days)"
        )
    if options.wait > WAIT_S_MAX:
        raise Invalid(InvalidCode.ARGUMENTS, f"--wait {options.wait}: {WAIT_S_MAX} s at most")
    try:
        msgspec.convert(options.topic, Topic)
    except msgspec.ValidationError:
        raise Invalid(
            InvalidCode.ARGUMENTS,
            f"topic {options.topic!r:.80}: use 1 to 64 of a-z 0-9 . _ -, letter or digit first",
        ) from None
    content = _read_content(options)
    with open_client(options) as client:
        member = find_member(client, options.member)
        found = client.messages.send(member, options.topic, content, options.hours * HOUR_MS)
        if options.wait:
            found = client.messages.wait_for(bytes.fromhex(found.id), options.wait)
    print_found(_describe_sent(found), is_json=options.json)
    return 0


def _sent(options: argparse.Namespace) -> int:
    with open_client(options) as client:
        if options.id is not None:
            found = client.messages.get_sent(_parse_id(options.id))
            print_found(_describe_sent(found), is_json=options.json)
            return 0
        listed = client.messages.list_sent(limit=LISTED).messages
    if options.json:
        print_json({"messages": [_describe_sent(item) for item in listed]})
        return 0
    for item in listed:
        reason = f": {item.reason}" if item.reason else ""
        when = format_iso(item.created_ms, 0)
        say(f"{item.id}  {when}  {item.state:9} {item.topic} to {item.recipient}{reason}")
    if not listed:
        say("No message was sent from this node.")
    return 0


def _list(options: argparse.Namespace) -> int:
    with open_client(options) as client:
        listed = client.messages.list_received(options.topic, options.after, LISTED)
    if options.json:
        print_json({"messages": [_describe_received(item) for item in listed]})
        return 0
    for item in listed:
        when = format_iso(item.received_ms, 0)
        say(f"{item.number}  {when}  {item.topic} from {item.sender}, {item.size} bytes")
    if not listed:
        say("No message waits to be taken.")
    return 0


def _show(options: argparse.Namespace) -> int:
    with open_client(options) as client:
        found = client.messages.get_received(options.number)
    if options.output is not None:
        if found.content is None:
            raise NotFound(f"message {options.number} was taken: its content is deleted")
        _write_content(options.output, found.content)
    print_found(_describe_received(found), is_json=options.json)
    return 0


def _take(options: argparse.Namespace) -> int:
    with open_client(options) as client:
        found = client.messages.take(options.number)
    print_found(_describe_received(found), is_json=options.json)
    return 0


def _read_content(options: argparse.Namespace) -> bytes:
    if options.text is not None:
        text: str = options.text
        return text.encode(errors="surrogateescape")
    if str(options.file) == "-":
        content = sys.stdin.buffer.read(CONTENT_BYTES_MAX + 1)
    else:
        content = read_file(options.file, CONTENT_BYTES_MAX)
    if len(content) > CONTENT_BYTES_MAX:
        raise Invalid(InvalidCode.TOO_LARGE, f"{options.file} has more than 1 MiB: split it")
    return content


def _write_content(path: Path, content: bytes) -> None:
    try:
        write_file(path, content, mode=0o600)
    except FileExistsError:
        raise Invalid(
            InvalidCode.MALFORMED, f"{path} is there already: name a new file", path=str(path)
        ) from None


def _parse_id(text: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != ID_BYTES:
        raise Invalid(
            InvalidCode.ARGUMENTS, f"{text[:80]!r} is no id of a message: 32 hexadecimal digits"
        )
    return found


def _describe_sent(item: SentMessage) -> dict[str, object]:
    found: dict[str, object] = msgspec.to_builtins(item)
    return found


def _describe_received(item: ReceivedMessage) -> dict[str, object]:
    """Describe a message; content that is text stands as such, other content as BASE64."""
    found: dict[str, object] = msgspec.to_builtins(item)
    if item.content is not None:
        try:
            found["text"] = item.content.decode()
        except UnicodeDecodeError:
            return found
    return found
