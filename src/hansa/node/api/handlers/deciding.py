"""What the node decided on its customers' payments: for its own institution's keys alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from hansa.kernel.crypto.address import to_text
from hansa.kernel.encoding import DECODE_ERRORS, tell_fault
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.machine.state import Reader
from hansa.node.api.rights import Right
from hansa.node.api.routes import (
    BYTES,
    JSON,
    TX_ID,
    Api,
    Call,
    Parameter,
    Route,
    TxIdText,
    read_charged,
    require_media_type,
)
from hansa.node.risk.codes import RiskCode, refuse
from hansa.sdk.risk import desk_answers as answers

if TYPE_CHECKING:  # of an extra, which a node that does not decide need not have
    from hansa.node.risk.office import RiskOffice

PAGE = 50
PAGE_MAX = 100
PLACE_MAX = 2**53
BYTES_PER_COST = 4_096
DECIDED_PER_COST = 20
"""Decisions that cost one to read: each is decrypted."""
FILE_BYTES_PER_COST = 1 << 16

Place = Annotated[int, Meta(ge=0, le=PLACE_MAX)]
PageSize = Annotated[int, Meta(ge=1, le=PAGE_MAX)]
HashText = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
OfficerName = Annotated[str, Meta(min_length=1, max_length=100)]


class Answering(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is answered for a transaction that waits."""

    answer: answers.AnswerName
    by: OfficerName | None = None
    """Who, as the institution's own systems know them; kept behind name and id of the API key."""


class Label(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a transaction turned out to be."""

    tx_id: TxIdText
    is_fraud: bool


_decode_answering = msgspec.json.Decoder(Answering).decode
_decode_label = msgspec.json.Decoder(Label).decode


async def get_standing(api: Api, call: Call) -> answers.RiskStanding:
    """Get how decisions are made at present."""
    return await _open_office(api, call).tell_standing()


async def list_waiting(api: Api, call: Call, after: int, limit: int) -> answers.HeldPage:
    """List what may be answered now."""
    office = _open_office(api, call)
    api.add_cost(call, limit // DECIDED_PER_COST)
    return await office.list_waiting(after, limit)


async def list_held(api: Api, call: Call, before: int, limit: int) -> answers.HeldPage:
    """List what waits or waited, with what became of it."""
    office = _open_office(api, call)
    api.add_cost(call, limit // DECIDED_PER_COST)
    return await office.list_held(before, limit)


async def list_hits(api: Api, call: Call, after: int, limit: int) -> answers.HitPage:
    """List customers whose names are hits of sanctions lists."""
    return _open_office(api, call).list_hits(after, limit)


async def answer_waiting(api: Api, call: Call, tx_id: str) -> answers.GivenAnswer:
    """Answer for a transaction that waits: for its customer, or as an officer."""
    office = _open_office(api, call)
    require_media_type(call.request, JSON)
    raw, _ = await read_charged(api, call, BYTES_PER_COST)
    try:
        found = _decode_answering(raw)
    except DECODE_ERRORS as error:
        raise Invalid(
            InvalidCode.MALFORMED,
            f'{tell_fault(error)}: send {{"answer": "confirmed", "released" or "refused", "by": '
            "NAME or absent} as JSON",
        ) from None
    await _require_answering(api, call, office, bytes.fromhex(tx_id), found.answer)
    by = f"{call.principal.name} ({call.principal.key_id})"
    if found.by is not None:
        by = f"{by}: {found.by}"
    return await office.answer(bytes.fromhex(tx_id), found.answer, by)


async def _require_answering(
    api: Api, call: Call, office: RiskOffice, tx_id: bytes, answer: answers.AnswerName
) -> None:
    """Let through who may give this answer.

    Raises:
      NotFound: nothing was decided on such a transaction.
      Denied: the key was made for another's answers.
    """
    right = Right.RISK_CONFIRM if answer == "confirmed" else Right.RISK_RELEASE
    is_customers = answer == "refused" and call.principal.may(Right.RISK_CONFIRM)
    # A customer refuses what it was asked about; what waits for an officer, an officer does.
    if is_customers and await office.get_verdict(tx_id) == "step_up":
        right = Right.RISK_CONFIRM
    api.access.require(call.principal, right)


async def get_risk_decision(api: Api, call: Call, tx_id: str) -> answers.RiskDecision:
    """Get all that is kept of a decision."""
    return await _open_office(api, call).get_decision(bytes.fromhex(tx_id))


async def label_transaction(api: Api, call: Call) -> answers.Labelled:
    """Tell what a transaction turned out to be."""
    office = _open_office(api, call)
    require_media_type(call.request, JSON)
    raw, _ = await read_charged(api, call, BYTES_PER_COST)
    try:
        found = _decode_label(raw)
    except DECODE_ERRORS as error:
        raise Invalid(
            InvalidCode.MALFORMED, f"{tell_fault(error)}: send tx_id and is_fraud as JSON"
        ) from None
    return await office.label(bytes.fromhex(found.tx_id), is_fraud=found.is_fraud)


async def reload_risk(api: Api, call: Call) -> answers.RiskStanding:
    """Decide by the files of the risk folder as they are now."""
    return await _open_office(api, call).reload()


async def get_risk_policy(api: Api, call: Call, policy: str) -> web.Response:
    """Get the files of a policy that decided."""
    raw = await _open_office(api, call).get_policy(bytes.fromhex(policy))
    return _answer_file(api, call, raw)


async def get_risk_model(api: Api, call: Call, model: str) -> web.Response:
    """Get a model file."""
    raw = await _open_office(api, call).get_model(bytes.fromhex(model))
    return _answer_file(api, call, raw)


def _answer_file(api: Api, call: Call, raw: bytes) -> web.Response:
    api.add_cost(call, len(raw) // FILE_BYTES_PER_COST)
    return web.Response(body=raw, content_type=BYTES)


def _open_office(api: Api, call: Call) -> RiskOffice:
    """Open the office for a caller of the institution whose node it is.

    Raises:
      Refused: `NOT_SET_UP`: the node does not decide.
      Invalid, Denied: as `Access.require`.
    """
    if api.risk is None:
        raise refuse(
            RiskCode.NOT_SET_UP,
            "this node does not decide on payments: set risk.decides in its settings",
        )
    if call.principal.member != api.risk.operator:
        whose = to_text(api.risk.operator)
        raise api.access.deny(call.principal, f"the decisions of {whose}: only its own keys do")
    from hansa.node.risk.office import RiskOffice  # noqa: PLC0415 - of an extra

    return RiskOffice(api.risk, Reader(api.node.chain.machine.state))


LIMIT = Parameter("limit", PageSize, "How many at most.", default=PAGE)
ROOT = "/v1/risk"
REFUSALS = (403, 404, 409)
BODY = (408, 413, 415)

ROUTES = (
    Route(
        "GET",
        f"{ROOT}/standing",
        get_standing,
        Right.RISK,
        "By what the node decides on payments, and whether its model is in force.",
        answers.RiskStanding,
        errors=(403, 409),
    ),
    Route(
        "GET",
        f"{ROOT}/waiting",
        list_waiting,
        Right.RISK,
        "Transactions that wait and may be answered now, the oldest first.",
        answers.HeldPage,
        parameters=(
            Parameter("after", Place, "Place behind which to begin: `next` before.", default=0),
            LIMIT,
        ),
        errors=(403, 409),
    ),
    Route(
        "GET",
        f"{ROOT}/hits",
        list_hits,
        Right.RISK_RELEASE,
        "Customers whose names are hits of sanctions lists, cleared or not.",
        answers.HitPage,
        parameters=(
            Parameter("after", Place, "How many to pass: `next` of the page before.", default=0),
            LIMIT,
        ),
        errors=(403, 409),
    ),
    Route(
        "POST",
        f"{ROOT}/waiting/{{tx_id}}",
        answer_waiting,
        Right.RISK,
        "Answer for a transaction that waits, which goes on if it is let through: for its "
        "customer with the right `risk_confirm` too, as an officer with `risk_release`.",
        answers.GivenAnswer,
        parameters=(TX_ID,),
        bodies=((JSON, Answering),),
        errors=(*REFUSALS, *BODY),
    ),
    Route(
        "GET",
        f"{ROOT}/held",
        list_held,
        Right.RISK,
        "Transactions that wait or waited, the newest first, with what became of them.",
        answers.HeldPage,
        parameters=(
            Parameter(
                "before", Place, "Place before which to begin: `next` before.", default=PLACE_MAX
            ),
            LIMIT,
        ),
        errors=(403, 409),
    ),
    Route(
        "GET",
        f"{ROOT}/decisions/{{tx_id}}",
        get_risk_decision,
        Right.RISK,
        "All that is kept of a decision: document, salt, features, and what was answered.",
        answers.RiskDecision,
        parameters=(TX_ID,),
        errors=REFUSALS,
    ),
    Route(
        "POST",
        f"{ROOT}/labels",
        label_transaction,
        Right.RISK_RELEASE,
        "Tell what a transaction turned out to be: fraud, or not.",
        answers.Labelled,
        bodies=((JSON, Label),),
        errors=(*REFUSALS, *BODY),
    ),
    Route(
        "POST",
        f"{ROOT}/reload",
        reload_risk,
        Right.RISK_RELEASE,
        "Read policy, rules, lists, merchants and customers anew, and decide by them.",
        answers.RiskStanding,
        errors=REFUSALS,
    ),
    Route(
        "GET",
        f"{ROOT}/policies/{{policy}}",
        get_risk_policy,
        Right.RISK,
        "The files of a policy that decided, by its hash.",
        BYTES,
        parameters=(Parameter("policy", HashText, "Hash of the policy.", "path"),),
        errors=REFUSALS,
    ),
    Route(
        "GET",
        f"{ROOT}/models/{{model}}",
        get_risk_model,
        Right.RISK,
        "A model file that is kept, by the hash of its manifest.",
        BYTES,
        parameters=(Parameter("model", HashText, "Hash of the manifest.", "path"),),
        errors=REFUSALS,
    ),
)
