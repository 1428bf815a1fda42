"""Results of files that were notarised: what is on record under a hash, or by a notary.

The ledger has the hash of a manifest behind a salt, so nobody can tell by it that it is one but who
has its evidence file: what is listed is all that a notary put on record. A hash whose notary one
names may be asked for by anybody, as by the API.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiohttp import web

from hansa.contracts.identity.evidence import Evidence
from hansa.kernel.block import decode_receipt, split_position
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.rows import decode_row
from hansa.node.console.identity.finding import parse_subject
from hansa.node.console.pages import Console, get_viewer
from hansa.node.console.reading import Pace, Reader

ROWS_MAX = 1_000
"""Of a notary with more of them none are listed: they lie in the order of their hashes."""
SHOWN_MAX = 25
LETTERS_MAX = 200
HASH_DIGITS = 64


@dataclass(frozen=True, slots=True)
class RecordLine:
    """A hash on record."""

    row: Evidence
    tx_id: bytes
    """Of the transaction that put it there; empty if this node does not keep it."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What a notary has on record, as of the last checkpoint."""

    lines: tuple[RecordLine, ...]
    """The newest first."""
    count: int
    is_whole: bool
    """Whether there are no more than were counted."""


async def show_manifests(console: Console, request: web.Request) -> web.Response:
    """Show what is on record under a hash, or the newest that a notary has there."""
    network = console.node.chain.network.genesis.network
    named = request.query.get("notary", "").strip()[:LETTERS_MAX]
    text = request.query.get("hash", "").strip().lower()[:LETTERS_MAX]
    notary = console.pairs.bank if console.pairs else None
    if named:
        notary = parse_subject(named, network)
    evidence_hash = _read_hash(text) if text else None
    viewer = get_viewer(request)
    found, listed = None, None
    if notary is not None and evidence_hash is not None:
        row = console.reader.load(Evidence, notary, evidence_hash)
        found = None if row is None else _read_record(console.reader, row)
    elif notary is not None and (viewer.sees_all or viewer.principal.member == notary):
        listed = await _list_records(console.reader, notary)
    return await console.respond(
        request,
        "reconciliation/manifests.html",
        status=404 if evidence_hash and not found else 200,
        is_current=False,
        notary=notary,
        notary_text=named or (to_text(notary) if notary else ""),
        hash_text=text,
        found=found,
        listed=listed,
        node_url=f"{request.scheme}://{request.host}",
    )


async def _list_records(reader: Reader, notary: bytes) -> Listed:
    rows = reader.chain.iterate_rows(Evidence.key(notary))
    # What waits to be written is looked through with the first row.
    item = await asyncio.to_thread(next, rows, None)
    pace = Pace()
    found: list[Evidence] = []
    while item is not None and len(found) < ROWS_MAX:
        found.append(decode_row(Evidence, item[1]))
        await pace.rest()
        item = next(rows, None)
    newest = sorted(found, key=lambda row: (-row.since_ms, row.evidence_hash))[:SHOWN_MAX]
    is_whole = item is None
    lines = (_read_record(reader, row) for row in newest) if is_whole else ()
    return Listed(tuple(lines), len(found), is_whole)


def _read_record(reader: Reader, row: Evidence) -> RecordLine:
    if not reader.is_kept(row.position):
        return RecordLine(row, b"")
    height, index = split_position(row.position)
    return RecordLine(row, decode_receipt(reader.get_record(height).receipts[index]).tx_id)


def _read_hash(text: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(text) != HASH_DIGITS or len(found) != HASH_DIGITS // 2:
        raise Invalid(InvalidCode.MALFORMED, "a hash on record has 64 hexadecimal digits")
    return found
