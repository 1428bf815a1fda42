"""The pages about results of reconciling files: which there are, and what each has found.

Results come without a block: so no page here is said to be the same until the next one. They are
shown to whom all about reconciliation is shown: to keys of the node's own bank.
"""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from aiohttp import web

from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import NotFound
from hansa.node.api.rights import Right
from hansa.node.console.pages import Console, get_viewer, read_number
from hansa.node.console.reconciliation import words
from hansa.node.console.reconciliation.runs.checking import SHOWN_MAX, find_record
from hansa.node.console.reconciliation.runs.reading import Runs
from hansa.node.console.reconciliation.runs.shapes import MANIFEST, REPORT
from hansa.node.web.headers import OWN_FILES_HEADERS
from hansa.reconcile.report.texts import show, show_amount
from hansa.shapes import Unread

RUNS_PER_PAGE = 25
WINDOWS_PER_PAGE = 25
TEXT_LETTERS = 140
PATH_LETTERS = 1_000

Page = Callable[[Console, web.Request], Awaitable[web.Response]]

RECORDS = {
    "none": "not notarised",
    "on_record": "on record",
    "revoked": "revoked",
    "other": "another manifest",
    "unknown": "not on this ledger",
    "unread": "no proof",
}
"""What the ledger has of a manifest, by `checking.State`."""
TONES = {"on_record": "ok", "none": "running"}
"""How that is coloured, where it is not wrong."""


async def show_runs(console: Console, request: web.Request) -> web.Response:
    """Show results, the newest first, each in a line."""
    runs = _require_runs(console, request)
    if runs is None:
        return await console.respond(request, "reconciliation/no_runs.html")
    first = read_number(request, "from", 0)
    listed = await runs.list_runs(first, RUNS_PER_PAGE)
    rows = console.reader.rows
    return await _respond(
        console,
        request,
        "runs.html",
        runs=[(each, find_record(rows, each.proof)) for each in listed.runs],
        listed=listed,
        folder=_show_path(shlex.quote(str(runs.folder))),
        first=first,
        per_page=RUNS_PER_PAGE,
    )


async def show_run(console: Console, request: web.Request) -> web.Response:
    """Show one result: its figures, and whether it is what was put on record."""
    runs = _require_runs(console, request)
    if runs is None:
        raise NotFound("there is no such result")
    page = await runs.get_run(request.match_info["name"])
    run = page.run
    path = runs.folder / run.name
    genesis = console.node.chain.network.genesis_hash.hex()
    return await _respond(
        console,
        request,
        "run.html",
        run=run,
        record=find_record(console.reader.rows, run.proof),
        checked=page.checked,
        has_report=page.has_report,
        place=_show_path(str(path)),
        verify=_write(["hansa", "manifest", "verify", str(path), "--genesis", genesis]),
        notarise=_write(["hansa", "id", "evidence", "notarise", "KEY.json", str(path / MANIFEST)]),
        first=read_number(request, "from", 0),
        per_page=WINDOWS_PER_PAGE,
        shown_max=SHOWN_MAX,
    )


async def send_report(console: Console, request: web.Request) -> web.Response:
    """Send the report of a result, to be kept: it must not be opened as a page of this console."""
    runs = _require_runs(console, request)
    if runs is None:
        raise NotFound("there is no such result")
    name = request.match_info["name"]
    try:
        body = await runs.read_report(name)
    except Unread as error:
        text = f"{REPORT} of this result {error}."
        return await console.say(request, 404, "There is no such report", text)
    plain = "".join(each if each.isascii() and each.isalnum() else "-" for each in name)
    headers = {
        **OWN_FILES_HEADERS,
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{plain[:80]}-{REPORT}"',
    }
    return web.Response(body=body, content_type="application/octet-stream", headers=headers)


def _require_runs(console: Console, request: web.Request) -> Runs | None:
    """Get what reads results, for keys of the node's own bank; None if it shows none.

    Raises:
      HansaError: they are not shown to whoever asks.
    """
    if console.runs is None:
        return None
    viewer, bank = get_viewer(request), console.node.member
    if not viewer.acts_for(bank, Right.PAIRS):
        raise console.access.deny(
            viewer.principal, f"what {to_text(bank)} reconciles: its own keys do"
        )
    return console.runs


async def _respond(
    console: Console,
    request: web.Request,
    template: str,
    **context: Any,  # noqa: ANN401 - what a template is filled with
) -> web.Response:
    return await console.respond(
        request,
        f"reconciliation/{template}",
        is_current=False,
        said=words,
        records=RECORDS,
        tones=TONES,
        node_url=f"{request.scheme}://{request.host}",
        text=_show_text,
        letters=show,
        amount=show_amount,
        name_break=_name_break,
        link=_link,
        **context,
    )


def _show_text(text: str) -> str:
    """Show what somebody else wrote, so that it shows as what it is."""
    return show(text, TEXT_LETTERS)


def _show_path(path: str) -> str:
    return show(path, PATH_LETTERS)


def _write(command: list[str]) -> str:
    return _show_path(shlex.join(command))


def _link(name: str) -> str:
    """Name the page of a result; empty where its folder's name is no text."""
    try:
        return f"/reconciliation/runs/{quote(name, safe='')}"
    except UnicodeEncodeError:
        return ""


def _name_break(kind: str, left: str, right: str) -> str:
    """Name a class of breaks in words; one that is not known as it is called there."""
    missing = {"missing_left": f"Missing in {left}", "missing_right": f"Missing in {right}"}
    return _show_text(missing.get(kind) or words.CLASSES.get(kind, kind))
