"""Models of operators, and what decides: hashes, times and keys, to anyone; nothing of people."""

from __future__ import annotations

import msgspec
from aiohttp import web

from hansa.contracts import members
from hansa.contracts.risk.in_force import InForce
from hansa.contracts.risk.risk import Model, Policy
from hansa.kernel.crypto.address import from_text, to_text
from hansa.kernel.errors import NotFound
from hansa.kernel.rows import Rows
from hansa.node.api.handlers.identity.proving import answer_proof
from hansa.node.api.handlers.identity.rights import read_rows
from hansa.node.api.rights import Right
from hansa.node.api.routes import MSGPACK, AnyCaseAddress, Api, Call, Parameter, Route
from hansa.sdk.risk import answers
from hansa.sdk.risk.questions import BasisQuestion, Questions

ROWS_PER_COST = 100

_decode = msgspec.msgpack.Decoder(Questions).decode


async def get_operator(api: Api, call: Call, operator: str) -> answers.Operator:
    """Get what an operator decides by, and all models and policies of its officers."""
    address, rows = from_text(operator), read_rows(api)
    if rows.get(members.Member, address) is None:
        raise NotFound("no member has this address: /v1/members lists them")
    known, policies = api.tables.load_all(Model), api.tables.load_all(Policy)
    api.add_cost(call, (len(known) + len(policies)) // ROWS_PER_COST)
    found = rows.get(InForce, address)
    return answers.Operator(
        operator=to_text(address),
        version=found.version if found else 0,
        since_ms=found.since_ms if found else None,
        bases=[
            answers.Basis(model=basis.model.hex(), policy=basis.policy.hex())
            for basis in (found.bases if found else ())
        ],
        models=[_tell_model(row) for row in known if row.operator == address],
        policies=[_tell_policy(row) for row in policies if row.operator == address],
    )


def _tell_model(row: Model) -> answers.Model:
    return answers.Model(
        model=row.model.hex(),
        state=row.state.name.lower(),
        since_ms=row.since_ms,
        officers=[to_text(each) for each in row.officers],
        suspended_ms=row.suspended_ms or None,
    )


def _tell_policy(row: Policy) -> answers.Policy:
    return answers.Policy(
        policy=row.policy.hex(),
        state="approved" if row.officers else "withdrawn",
        since_ms=row.since_ms,
        officers=[to_text(each) for each in row.officers],
    )


async def prove_risk(api: Api, call: Call) -> web.Response:
    """Prove the rows against which decisions are opened."""

    def require(question: BasisQuestion, rows: Rows) -> None:
        """Let everybody know: it is a member's public record."""

    return await answer_proof(api, call, _decode, require)


ROUTES = (
    Route(
        "GET",
        "/v1/risk/operators/{operator}",
        get_operator,
        Right.PUBLIC,
        "By what an operator decides on payments, and its models and policies.",
        answers.Operator,
        parameters=(Parameter("operator", AnyCaseAddress, "Address of the operator.", "path"),),
        errors=(404,),
    ),
    Route(
        "POST",
        "/v1/risk/proofs",
        prove_risk,
        Right.PUBLIC,
        "Rows against which risk decisions are opened, proved together as of the last checkpoint.",
        MSGPACK,
        bodies=((MSGPACK, bytes),),
        errors=(408, 413, 415),
    ),
)
