"""The pairs that the node's member reconciles as entries arrive: for that member's keys alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from hansa.contracts.reconciliation import windows
from hansa.contracts.reconciliation.cases import Kind
from hansa.kernel.crypto.address import to_text
from hansa.kernel.encoding import DECODE_ERRORS, tell_fault
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.values import Signed
from hansa.node.api.handlers.reconciliation import AGREEMENT, ASSET, CASE, WINDOW, HashText
from hansa.node.api.rights import Right
from hansa.node.api.routes import (
    JSON,
    MSGPACK,
    Api,
    Call,
    Parameter,
    Route,
    read_charged,
    require_media_type,
)
from hansa.node.reconcile.codes import PairCode, refuse
from hansa.sdk.answers import AmountText
from hansa.sdk.reconciliation import pair_answers as answers

if TYPE_CHECKING:  # of an extra, which a node that does not reconcile need not have
    from hansa.node.reconcile.desk import PairDesk

PAGE = 50
PAGE_MAX = 100
WINDOWS_MAX = 100
NUMBER_MAX = 2**53
AGE_MAX = 1_000_000
BYTES_PER_COST = 4_096
LISTED_PER_COST = 100
"""What is looked through for a page."""
WORDS_MAX = 2_000

Number = Annotated[int, Meta(ge=0, le=NUMBER_MAX)]
PageSize = Annotated[int, Meta(ge=1, le=PAGE_MAX)]
CurrencyText = Annotated[str, Meta(min_length=1, max_length=3)]
CaseState = Literal["open", "proposed", "offered", "accepted", "resolved", "disputed", "healed"]


class Completed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """That all entries of some windows are added."""

    window: windows.WindowNumber
    """Of the windows below this number."""


class Proposed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a break is to be resolved."""

    kind: answers.ProposalKind
    words: Annotated[str, Meta(min_length=1, max_length=WORDS_MAX)]
    """What is to be done, by whom and until when."""
    salt: HashText
    """Drawn at random: the same proposal again under the same salt counts once."""
    amount_minor: AmountText = "0"
    """What it is about, as the left bank's books have it; 0 where it is no amount."""


_decode_completed = msgspec.json.Decoder(Completed).decode
_decode_proposed = msgspec.json.Decoder(Proposed).decode


async def list_pairs(api: Api, call: Call) -> answers.Pairs:
    """List the agreements of the node's member."""
    found = _open_desk(api, call).list_pairs()
    api.add_cost(call, len(found.pairs) // LISTED_PER_COST)
    return found


async def share_terms(api: Api, call: Call) -> answers.PairDetails:
    """Keep terms, and send them to the other bank."""
    desk = _open_desk(api, call)
    require_media_type(call.request, MSGPACK)
    raw, _ = await read_charged(api, call, BYTES_PER_COST)
    return await desk.share_terms(raw)


async def get_pair(api: Api, call: Call, agreement: str, windows: int) -> answers.PairDetails:
    """Get an agreement with its terms and newest windows."""
    api.add_cost(call, windows)
    return _open_desk(api, call).get_pair(bytes.fromhex(agreement), windows)


async def add_entries(
    api: Api, call: Call, agreement: str, origin: str | None, start: int | None
) -> answers.AddedEntries:
    """Add entries, all or none."""
    desk = _open_desk(api, call)
    require_media_type(call.request, MSGPACK)
    if origin is None and start is not None:
        raise Invalid(InvalidCode.ARGUMENTS, "start is a place in an origin: name that, too")
    raw, _ = await read_charged(api, call, BYTES_PER_COST)
    named = None if origin is None else (bytes.fromhex(origin), start or 0)
    return await desk.add(bytes.fromhex(agreement), raw, named)


async def complete_windows(api: Api, call: Call, agreement: str) -> answers.PairDetails:
    """Say that all entries of the windows below a number are added."""
    desk = _open_desk(api, call)
    require_media_type(call.request, JSON)
    raw, _ = await read_charged(api, call, BYTES_PER_COST)
    try:
        found = _decode_completed(raw)
    except DECODE_ERRORS as error:
        raise Invalid(InvalidCode.MALFORMED, f"{tell_fault(error)}: send window as JSON") from None
    return await desk.complete(bytes.fromhex(agreement), found.window)


async def get_pair_window(api: Api, call: Call, agreement: str, window: int) -> answers.PairWindow:
    """Get a window, and what came out of it."""
    return _open_desk(api, call).get_window(bytes.fromhex(agreement), window)


async def list_matches(
    api: Api, call: Call, agreement: str, window: int, after: int, limit: int
) -> answers.Matches:
    """List matches of a window that were shown to the other bank."""
    desk = _open_desk(api, call)
    return desk.list_matches(bytes.fromhex(agreement), window, after, limit)


async def list_breaks(  # noqa: PLR0913 - filters, each by its name
    api: Api,
    call: Call,
    agreement: str,
    kind: str | None,
    currency: str | None,
    age_days: int | None,
    case: Literal["with", "without"] | None,
    after: int,
    limit: int,
) -> answers.Breaks:
    """List breaks that are open."""
    desk = _open_desk(api, call)
    has_case = None if case is None else case == "with"
    wanted = (kind, currency, age_days, has_case)
    return desk.list_breaks(bytes.fromhex(agreement), wanted, after, limit)


async def list_pair_cases(
    api: Api, call: Call, agreement: str, state: str | None, after: int, limit: int
) -> answers.PairCases:
    """List cases, the newest first."""
    return _open_desk(api, call).list_cases(bytes.fromhex(agreement), state, after, limit)


async def get_pair_case(api: Api, call: Call, agreement: str, case_id: str) -> answers.CaseDetails:
    """Get a case with both sides of its break, and all that was proposed."""
    return _open_desk(api, call).get_case(bytes.fromhex(agreement), bytes.fromhex(case_id))


async def share_proposal(
    api: Api, call: Call, agreement: str, case_id: str
) -> answers.SharedProposal:
    """Keep a proposal, and send it to the other bank."""
    desk = _open_desk(api, call)
    require_media_type(call.request, JSON)
    raw, _ = await read_charged(api, call, BYTES_PER_COST)
    try:
        found = _decode_proposed(raw)
        amount_minor = msgspec.convert(found.amount_minor, Signed, strict=False)
    except DECODE_ERRORS as error:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"{tell_fault(error)}: send kind, words, amount_minor and salt as JSON",
        ) from None
    content = (Kind[found.kind.upper()], found.words, amount_minor)
    names = (bytes.fromhex(agreement), bytes.fromhex(case_id))
    return await desk.share_proposal(*names, content, bytes.fromhex(found.salt))


async def list_positions(
    api: Api, call: Call, agreement: str, after: int, limit: int
) -> answers.PairPositions:
    """List net positions, the newest window first."""
    return _open_desk(api, call).list_positions(bytes.fromhex(agreement), after, limit)


async def get_pair_position(
    api: Api, call: Call, agreement: str, window: int, asset: str
) -> answers.PairPosition:
    """Get a net position, with what opens its commitment."""
    return _open_desk(api, call).get_position(bytes.fromhex(agreement), window, asset)


def _open_desk(api: Api, call: Call) -> PairDesk:
    """Open the desk for a caller of the institution whose node it is.

    Raises:
      Refused: `NOT_SET_UP`: the node does not reconcile.
      Invalid, Denied: as `Access.require`.
    """
    if api.pairs is None:
        raise refuse(
            PairCode.NOT_SET_UP,
            "this node does not reconcile: give its settings a section [reconciliation]",
        )
    if call.principal.member != api.pairs.bank:
        whose = to_text(api.pairs.bank)
        raise api.access.deny(call.principal, f"the pairs of {whose}: only its own keys do")
    from hansa.node.reconcile.desk import PairDesk  # noqa: PLC0415 - of an extra

    return PairDesk(api.node, api.pairs)


AFTER = Parameter("after", Number, "How many to leave out: `next` of the page before.", default=0)
LIMIT = Parameter("limit", PageSize, "How many at most.", default=PAGE)
ONE = "/v1/pairs/{agreement}"
REFUSALS = (403, 404, 409)
BODY = (408, 413, 415)

ROUTES = (
    Route(
        "GET",
        "/v1/pairs",
        list_pairs,
        Right.PAIRS,
        "The agreements by which this node's member reconciles, by their ids.",
        answers.Pairs,
        errors=(403, 409),
    ),
    Route(
        "POST",
        "/v1/pairs",
        share_terms,
        Right.PAIRS,
        "Keep terms of an agreement, and send them to the other bank.",
        answers.PairDetails,
        bodies=((MSGPACK, bytes),),
        errors=(403, 409, *BODY),
    ),
    Route(
        "GET",
        ONE,
        get_pair,
        Right.PAIRS,
        "An agreement with its terms and newest windows.",
        answers.PairDetails,
        parameters=(
            AGREEMENT,
            Parameter(
                "windows",
                Annotated[int, Meta(ge=0, le=WINDOWS_MAX)],
                "How many windows, the newest first.",
                default=0,
            ),
        ),
        errors=REFUSALS,
    ),
    Route(
        "POST",
        ONE + "/entries",
        add_entries,
        Right.PAIRS,
        "Add entries of this node's member, all or none: a MessagePack array of at most 2,000.",
        answers.AddedEntries,
        parameters=(
            AGREEMENT,
            Parameter("origin", HashText, "Hash of what they are from, to be added once."),
            Parameter("start", Number, "How many of that origin stand before them."),
        ),
        bodies=((MSGPACK, bytes),),
        errors=(*REFUSALS, *BODY),
    ),
    Route(
        "POST",
        ONE + "/complete",
        complete_windows,
        Right.PAIRS,
        "Say that all entries of the windows below a number are added; for good.",
        answers.PairDetails,
        parameters=(AGREEMENT,),
        bodies=((JSON, Completed),),
        errors=(*REFUSALS, *BODY),
    ),
    Route(
        "GET",
        ONE + "/windows/{window}",
        get_pair_window,
        Right.PAIRS,
        "A window, and what came out of it in figures.",
        answers.PairWindow,
        parameters=(AGREEMENT, WINDOW),
        errors=REFUSALS,
    ),
    Route(
        "GET",
        ONE + "/windows/{window}/matches",
        list_matches,
        Right.PAIRS,
        "Matches of a window that were shown to the other bank, with their reasons.",
        answers.Matches,
        parameters=(AGREEMENT, WINDOW, AFTER, LIMIT),
        errors=REFUSALS,
    ),
    Route(
        "GET",
        ONE + "/breaks",
        list_breaks,
        Right.PAIRS,
        "Breaks that are open, with the entries of both banks.",
        answers.Breaks,
        parameters=(
            AGREEMENT,
            Parameter("kind", answers.BreakKind, "Class of the breaks; all if not given."),
            Parameter("currency", CurrencyText, "Of one of a break's entries."),
            Parameter(
                "age_days",
                Annotated[int, Meta(ge=0, le=AGE_MAX)],
                "How old they are at least, in business days.",
            ),
            Parameter("case", Literal["with", "without"], "Those with, or without a case."),
            AFTER,
            LIMIT,
        ),
        errors=REFUSALS,
    ),
    Route(
        "GET",
        ONE + "/cases",
        list_pair_cases,
        Right.PAIRS,
        "Cases of an agreement, the newest first.",
        answers.PairCases,
        parameters=(
            AGREEMENT,
            Parameter("state", CaseState, "Where they stand; all if not given."),
            AFTER,
            LIMIT,
        ),
        errors=REFUSALS,
    ),
    Route(
        "GET",
        ONE + "/cases/{case_id}",
        get_pair_case,
        Right.PAIRS,
        "A case with both sides of its break, and all that was proposed for it.",
        answers.CaseDetails,
        parameters=(AGREEMENT, CASE),
        errors=REFUSALS,
    ),
    Route(
        "POST",
        ONE + "/cases/{case_id}/proposals",
        share_proposal,
        Right.PAIRS,
        "Keep a proposal for a case, and send it to the other bank.",
        answers.SharedProposal,
        parameters=(AGREEMENT, CASE),
        bodies=((JSON, Proposed),),
        errors=(*REFUSALS, *BODY),
    ),
    Route(
        "GET",
        ONE + "/positions",
        list_positions,
        Right.PAIRS,
        "Net positions of windows that are agreed on, the newest first.",
        answers.PairPositions,
        parameters=(AGREEMENT, AFTER, LIMIT),
        errors=REFUSALS,
    ),
    Route(
        "GET",
        ONE + "/positions/{window}/{asset}",
        get_pair_position,
        Right.PAIRS,
        "A net position, with what opens its commitment.",
        answers.PairPosition,
        parameters=(AGREEMENT, WINDOW, ASSET),
        errors=REFUSALS,
    ),
)
