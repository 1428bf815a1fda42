"""Agreements, windows, tags, cases and positions: to their parties, and the ledger's readers."""

from __future__ import annotations

from typing import Annotated, NoReturn

import msgspec
from aiohttp import web
from msgspec import Meta

from hansa.contracts.reconciliation import agreements, cases, positions, windows
from hansa.contracts.reconciliation.agreements import Agreement
from hansa.kernel.crypto.address import to_text
from hansa.kernel.crypto.hashing import ZERO_HASH
from hansa.kernel.errors import NotFound
from hansa.kernel.machine.state import Reader
from hansa.kernel.rows import Rows
from hansa.node.api.handlers.identity.proving import answer_proof
from hansa.node.api.rights import Right, Role
from hansa.node.api.routes import MSGPACK, Api, AssetText, Call, Parameter, Route
from hansa.sdk.reconciliation import answers
from hansa.sdk.reconciliation.questions import AnyQuestion, Questions

CASES_PER_COST = 100

_decode = msgspec.msgpack.Decoder(Questions).decode

HashText = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
TagText = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
WindowNumber = Annotated[int, Meta(ge=0, le=windows.WINDOW_LATEST)]


async def list_agreements(api: Api, call: Call) -> answers.Agreements:
    """List the agreements of the caller's institution; all, to who reads the whole ledger."""
    principal = call.principal
    if principal.role is Role.ANYONE:
        raise api.access.deny(principal, "these agreements")
    known = api.tables.load_all(Agreement)
    api.add_cost(call, len(known) // CASES_PER_COST)
    may_all = principal.may(Right.LEDGER)
    own = [row for row in known if may_all or principal.member in (row.left, row.right)]
    rows = _read(api)
    return answers.Agreements(agreements=[tell_agreement(rows, row) for row in own])


async def get_agreement(api: Api, call: Call, agreement: str) -> answers.Agreement:
    """Get an agreement, and how far its parties are."""
    return tell_agreement(_read(api), _require_readable(api, call, agreement))


async def get_window(api: Api, call: Call, agreement: str, window: int) -> answers.Window:
    """Get a window in figures."""
    named = _require_readable(api, call, agreement).agreement
    row = windows.find_window(_read(api), named, window)
    if row is None:
        _tell_missing(f"window {window}")
    return tell_window(row)


async def get_tag(api: Api, call: Call, agreement: str, window: int, tag: str) -> answers.TagCount:
    """Get what both parties posted under a tag."""
    named = _require_readable(api, call, agreement).agreement
    row = windows.find_tag(_read(api), named, window, bytes.fromhex(tag))
    if row is None:
        _tell_missing(f"tag {tag} in window {window}")
    return answers.TagCount(tag=tag, left=_tell_tally(row.left), right=_tell_tally(row.right))


async def list_cases(api: Api, call: Call, agreement: str) -> answers.Cases:
    """List the cases of an agreement."""
    named = _require_readable(api, call, agreement).agreement
    rows = api.tables.load_all(cases.Case)
    api.add_cost(call, len(rows) // CASES_PER_COST)
    return answers.Cases(cases=[tell_case(row) for row in rows if row.agreement == named])


async def get_case(api: Api, call: Call, agreement: str, case_id: str) -> answers.Case:
    """Get where a case stands."""
    named = _require_readable(api, call, agreement).agreement
    row = cases.find_case(_read(api), named, bytes.fromhex(case_id))
    if row is None:
        _tell_missing(f"case {case_id}")
    return tell_case(row)


async def get_position(
    api: Api, call: Call, agreement: str, window: int, asset: str
) -> answers.Position:
    """Get a net position."""
    named = _require_readable(api, call, agreement).agreement
    row = positions.find_position(_read(api), named, window, asset)
    if row is None:
        _tell_missing(f"position in {asset} for window {window}")
    return tell_position(row)


async def prove_reconciliation(api: Api, call: Call) -> web.Response:
    """Prove the rows on which the answers to questions about reconciliation rest."""

    def require(question: AnyQuestion, rows: Rows) -> None:
        _find_readable(api, call, rows, question.agreement)

    return await answer_proof(api, call, _decode, require)


def _read(api: Api) -> Reader:
    return Reader(api.node.chain.machine.state)


def _require_readable(api: Api, call: Call, agreement: str) -> Agreement:
    """Get an agreement as of the newest block; raises as `_find_readable`."""
    return _find_readable(api, call, _read(api), bytes.fromhex(agreement))


def _find_readable(api: Api, call: Call, rows: Rows, agreement: bytes) -> Agreement:
    """Get an agreement for one of its parties, or who may read the whole ledger.

    Raises:
      Invalid: `UNAUTHENTICATED`: nobody is known to ask.
      NotFound: there is no such agreement, or it is other people's: which, is not told.
    """
    principal = call.principal
    if principal.role is Role.ANYONE:
        raise api.access.deny(principal, "this agreement")
    row = agreements.find_agreement(rows, agreement)
    is_shown = row is not None and (
        principal.may(Right.LEDGER) or principal.member in (row.left, row.right)
    )
    if row is None or not is_shown:
        raise NotFound(f"there is no agreement {agreement.hex()} of yours on record")
    return row


def _tell_missing(what: str) -> NoReturn:
    raise NotFound(f"no {what} of this agreement is on record")


def tell_agreement(rows: Rows, row: Agreement) -> answers.Agreement:
    """Tell an agreement with how far its parties are."""
    progress = windows.find_progress(rows, row.agreement)
    return answers.Agreement(
        id=row.agreement.hex(),
        left=to_text(row.left),
        right=to_text(row.right),
        terms=row.terms.hex(),
        from_day=row.from_day,
        window_days=row.window_days,
        keep_days=row.keep_days,
        proposer=to_text(row.proposer),
        state=row.state.name.lower(),
        since_ms=row.since_ms,
        left_watermark=progress.left if progress else 0,
        right_watermark=progress.right if progress else 0,
        closed=progress.closed if progress else 0,
        agreed=progress.agreed if progress else 0,
    )


def tell_window(row: windows.Window) -> answers.Window:
    """Tell a window in figures."""
    return answers.Window(
        agreement=row.agreement.hex(),
        window=row.window,
        left=_tell_side(row.left),
        right=_tell_side(row.right),
        matched=row.matched,
        healed=row.healed,
        agreed_ms=row.agreed_ms or None,
        result=row.result.hex(),
    )


def _tell_side(side: windows.Side) -> answers.Side:
    return answers.Side(
        entries=side.entries, open=side.open, statement=side.statement.hex(), cases=side.cases
    )


def _tell_tally(tally: windows.Tally) -> answers.Tally:
    return answers.Tally(
        entries=tally.entries, chain=tally.chain.hex(), is_bracketed=tally.is_bracketed
    )


def tell_case(row: cases.Case) -> answers.Case:
    """Tell where a case stands."""
    return answers.Case(
        agreement=row.agreement.hex(),
        id=row.case_id.hex(),
        window=row.window,
        opener=to_text(row.opener),
        state=row.state.name.lower(),
        since_ms=row.since_ms,
        kind=cases.Kind(row.kind).name.lower() if row.kind else None,
        terms=row.terms.hex() if row.kind else None,
        proposer=to_text(row.proposer) if row.proposer else None,
        officers=[to_text(each) for each in row.officers],
        disputed=None if row.disputed == ZERO_HASH else row.disputed.hex(),
    )


def tell_position(row: positions.Position) -> answers.Position:
    """Tell a net position."""
    return answers.Position(
        agreement=row.agreement.hex(),
        window=row.window,
        asset=row.asset,
        left=row.left.hex(),
        right=row.right.hex(),
        is_agreed=row.is_agreed,
        since_ms=row.since_ms,
        settled_minor=str(row.settled_minor) if row.is_settled else None,
    )


AGREEMENT = Parameter("agreement", HashText, "Id of the agreement.", "path")
WINDOW = Parameter("window", WindowNumber, "Number of the window.", "path")
CASE = Parameter("case_id", HashText, "Id of the case.", "path")
TAG = Parameter("tag", TagText, "The tag, hexadecimal.", "path")
ASSET = Parameter("asset", AssetText, "Code of the asset.", "path")
ONE = "/v1/reconciliation/agreements/{agreement}"
PROOFS = "/v1/reconciliation/proofs"
PUBLIC = Right.PUBLIC

ROUTES = (
    Route(
        "GET",
        "/v1/reconciliation/agreements",
        list_agreements,
        PUBLIC,
        "Agreements of the caller's institution; all, to the whole ledger's readers.",
        answers.Agreements,
    ),
    Route(
        "GET",
        ONE,
        get_agreement,
        PUBLIC,
        "An agreement and how far its parties are: to them, and the whole ledger's readers.",
        answers.Agreement,
        parameters=(AGREEMENT,),
        errors=(404,),
    ),
    Route(
        "GET",
        ONE + "/windows/{window}",
        get_window,
        PUBLIC,
        "A window in figures.",
        answers.Window,
        parameters=(AGREEMENT, WINDOW),
        errors=(404,),
    ),
    Route(
        "GET",
        ONE + "/windows/{window}/tags/{tag}",
        get_tag,
        PUBLIC,
        "What both parties posted under a tag.",
        answers.TagCount,
        parameters=(AGREEMENT, WINDOW, TAG),
        errors=(404,),
    ),
    Route(
        "GET",
        ONE + "/cases",
        list_cases,
        PUBLIC,
        "All cases of an agreement.",
        answers.Cases,
        parameters=(AGREEMENT,),
        errors=(404,),
    ),
    Route(
        "GET",
        ONE + "/cases/{case_id}",
        get_case,
        PUBLIC,
        "Where a case stands.",
        answers.Case,
        parameters=(AGREEMENT, CASE),
        errors=(404,),
    ),
    Route(
        "GET",
        ONE + "/positions/{window}/{asset}",
        get_position,
        PUBLIC,
        "A net position; its amount shows once it is settled.",
        answers.Position,
        parameters=(AGREEMENT, WINDOW, ASSET),
        errors=(404,),
    ),
    Route(
        "POST",
        PROOFS,
        prove_reconciliation,
        PUBLIC,
        "Rows on which the answers to questions rest, proved together as of the last checkpoint; "
        "to the parties, and the whole ledger's readers.",
        MSGPACK,
        bodies=((MSGPACK, bytes),),
        errors=(404, 408, 413, 415),
    ),
)
