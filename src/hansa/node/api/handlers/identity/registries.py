"""Types of credentials, who is accredited for them, and what they stand by: status, evidence."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from msgspec import Meta

from hansa.contracts.identity import accreditation, schemas, status
from hansa.kernel.block import split_position
from hansa.kernel.crypto.address import from_text, to_text
from hansa.kernel.crypto.hashing import ZERO_HASH
from hansa.kernel.errors import NotFound
from hansa.node.api.handlers.identity.rights import read_rows, require_party
from hansa.node.api.rights import Right
from hansa.node.api.routes import BYTES, AnyCaseAddress, Api, Call, Parameter, Route
from hansa.node.service import wall_clock_ms
from hansa.sdk.identity import answers
from hansa.sdk.identity.consents import find_state
from hansa.sdk.identity.questions import (
    ConsentQuestion,
    EvidenceQuestion,
    ListQuestion,
    SchemaQuestion,
)

BYTES_PER_COST = 16_384
NOTES_PER_COST = 64
NUMBER_MAX = 2**63 - 1

TypeName = Annotated[str, Meta(pattern="^[a-z0-9-]{1,64}$")]
HashText = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Number = Annotated[int, Meta(ge=0, le=NUMBER_MAX)]
Version = Annotated[int, Meta(ge=0, le=NUMBER_MAX)]
TimeMs = Annotated[int, Meta(ge=0, le=2**53)]
Index = Annotated[int, Meta(ge=0, le=status.LENGTH_MAX - 1)]


async def list_types(api: Api, call: Call) -> answers.CredentialTypes:
    """List all types of credentials."""
    del call
    return answers.CredentialTypes(
        types=[
            answers.CredentialType(
                name=row.name,
                owner=to_text(row.owner),
                latest=row.latest,
                since_ms=row.since_ms,
            )
            for row in api.tables.load_all(schemas.CredentialType)
        ]
    )


async def get_schema(api: Api, call: Call, name: str, version: int) -> answers.Schema:
    """Get one version of a type; 0 for the newest."""
    del call
    kind, found = SchemaQuestion(name, version).read(read_rows(api))
    if kind is None or found is None:
        raise NotFound(
            f"there is no type {name!r}: /v1/identity/schemas lists them"
            if kind is None
            else f"the type {name!r} has versions 1 to {kind.latest}"
        )
    return answers.Schema(
        name=name,
        version=found.version,
        owner=to_text(kind.owner),
        latest=kind.latest,
        schema=found.schema,
        display=found.display,
        since_ms=found.since_ms,
        retired_ms=found.retired_ms or None,
    )


async def get_standing(
    api: Api, call: Call, issuer: str, name: str, time_ms: int | None
) -> answers.Standing:
    """Get whether an issuer was accredited for a type at a time."""
    del call
    address = from_text(issuer)
    moment_ms = wall_clock_ms() if time_ms is None else time_ms
    found = accreditation.find_standing(read_rows(api), address, name, moment_ms)
    return answers.Standing(
        issuer=to_text(address),
        credential_type=name,
        time_ms=moment_ms,
        is_accredited=found.fault is None,
        fault=None if found.fault is None else found.fault.value,
        at=_name_granter(found.at),
        since_ms=found.since_ms,
        chain=[
            answers.Grant(
                issuer=to_text(row.issuer),
                granter=_name_granter(row.granter),
                state=row.state.value,
                may_accredit=row.may_accredit,
                from_ms=row.from_ms,
                until_ms=row.until_ms,
                version=row.version,
                since_ms=row.since_ms,
                reason=row.reason.value,
                reason_hash=None if row.reason_hash == ZERO_HASH else row.reason_hash.hex(),
            )
            for row in found.chain
        ],
        suspended_since_ms=found.suspended_since_ms or None,
    )


async def get_status_list(api: Api, call: Call, issuer: str, number: int) -> answers.StatusList:
    """Get a status list without its entries."""
    del call
    found = _get_list(api, from_text(issuer), number)
    return answers.StatusList(
        issuer=to_text(found.issuer),
        number=number,
        bits=int(found.bits),
        length=found.length,
        version=found.version,
        updated_ms=found.updated_ms,
        root=found.root.hex(),
    )


async def get_entries(api: Api, call: Call, issuer: str, number: int) -> web.Response:
    """Get a status list's entries, packed as a Token Status List packs them."""
    address = from_text(issuer)
    found = _get_list(api, address, number)
    content = ListQuestion(address, number).read(read_rows(api)).content
    api.add_cost(call, len(content) // BYTES_PER_COST)
    return web.Response(body=content, content_type=BYTES, headers={"ETag": f'"{found.root.hex()}"'})


async def get_entry(
    api: Api, call: Call, issuer: str, number: int, index: int
) -> answers.StatusEntry:
    """Get where one credential stands."""
    del call
    address = from_text(issuer)
    found = _get_list(api, address, number)
    entry = status.get_status(read_rows(api), address, number, index)
    if entry is None:
        raise NotFound(f"list {number} has entries 0 to {found.length - 1}, not {index}")
    return answers.StatusEntry(
        issuer=to_text(address),
        number=number,
        index=index,
        status=entry.name.lower(),  # type: ignore[arg-type]
        version=found.version,
        updated_ms=found.updated_ms,
    )


async def get_evidence(api: Api, call: Call, notary: str, evidence_hash: str) -> answers.Evidence:
    """Get what a notary put on record under a hash, with its notes."""
    address = from_text(notary)
    row, notes = EvidenceQuestion(address, bytes.fromhex(evidence_hash)).read(read_rows(api))
    if row is None:
        raise NotFound("this notary has put no such hash on record")
    api.add_cost(call, len(notes) // NOTES_PER_COST)
    height, index = split_position(row.position)
    return answers.Evidence(
        notary=to_text(address),
        hash=evidence_hash,
        leaves=row.leaves,
        since_ms=row.since_ms,
        height=height,
        index=index,
        cosigners=[to_text(each) for each in row.cosigners],
        signed=[
            answers.Signing(cosigner=to_text(each.cosigner), time_ms=each.time_ms)
            for each in row.signed
        ],
        notes=[
            answers.Note(
                number=each.number,
                author=to_text(each.author),
                hash=each.note_hash.hex(),
                time_ms=each.time_ms,
            )
            for each in notes
        ],
        revoked_ms=row.revoked_ms or None,
    )


async def get_consent(api: Api, call: Call, consent_id: str) -> answers.ConsentChain:
    """Get a consent and those that it hangs on, as one of its parties."""
    named = bytes.fromhex(consent_id)
    chain = ConsentQuestion(named).read(read_rows(api))
    require_party(api, call.principal, chain[0] if chain else None, named)
    return answers.ConsentChain(
        state=find_state(chain, wall_clock_ms()),
        chain=[
            answers.Consent(
                id=row.consent_id.hex(),
                holder=to_text(row.holder),
                giver=to_text(row.giver),
                recipient=to_text(row.recipient),
                terms=row.terms.hex(),
                from_ms=row.from_ms,
                until_ms=row.until_ms,
                uses=row.uses,
                uses_max=row.uses_max or None,
                delegations=row.delegations,
                revoked_ms=row.revoked_ms or None,
            )
            for row in chain
        ],
    )


def _name_granter(address: bytes) -> str | None:
    return None if address == accreditation.NETWORK else to_text(address)


def _get_list(api: Api, issuer: bytes, number: int) -> status.StatusList:
    found = status.get_list(read_rows(api), issuer, number)
    if found is None:
        raise NotFound(f"this issuer has no status list {number}")
    return found


ISSUER = Parameter("issuer", AnyCaseAddress, "Address of the issuer.", "path")
NAME = Parameter("name", TypeName, "Name of a type of credentials.", "path")
NUMBER = Parameter("number", Number, "Number of the list, as its issuer chose it.", "path")
LIST = "/v1/identity/status-lists/{issuer}/{number}"

ROUTES = (
    Route(
        "GET",
        "/v1/identity/schemas",
        list_types,
        Right.PUBLIC,
        "Types of credentials.",
        answers.CredentialTypes,
    ),
    Route(
        "GET",
        "/v1/identity/schemas/{name}/{version}",
        get_schema,
        Right.PUBLIC,
        "One version of a type of credentials, with its JSON Schema and display data.",
        answers.Schema,
        parameters=(
            NAME,
            Parameter("version", Version, "Number of the version; 0 for the newest.", "path"),
        ),
        errors=(404,),
    ),
    Route(
        "GET",
        "/v1/identity/accreditations/{issuer}/{name}",
        get_standing,
        Right.PUBLIC,
        "Whether an issuer was accredited for a type at a time, and by what chain of grants.",
        answers.Standing,
        parameters=(
            ISSUER,
            NAME,
            Parameter("time_ms", TimeMs, "The moment asked for; the present where not given."),
        ),
    ),
    Route(
        "GET",
        LIST,
        get_status_list,
        Right.PUBLIC,
        "A status list without its entries.",
        answers.StatusList,
        parameters=(ISSUER, NUMBER),
        errors=(404,),
    ),
    Route(
        "GET",
        LIST + "/entries",
        get_entries,
        Right.PUBLIC,
        "A status list's entries, packed as a Token Status List packs them; `ETag` is the root.",
        BYTES,
        parameters=(ISSUER, NUMBER),
        errors=(404,),
    ),
    Route(
        "GET",
        LIST + "/entries/{index}",
        get_entry,
        Right.PUBLIC,
        "Where one credential stands.",
        answers.StatusEntry,
        parameters=(ISSUER, NUMBER, Parameter("index", Index, "Place in the list.", "path")),
        errors=(404,),
    ),
    Route(
        "GET",
        "/v1/identity/evidence/{notary}/{evidence_hash}",
        get_evidence,
        Right.PUBLIC,
        "What a notary put on record under a hash, with its notes.",
        answers.Evidence,
        parameters=(
            Parameter("notary", AnyCaseAddress, "Address of the notary.", "path"),
            Parameter("evidence_hash", HashText, "The hash, or the root of many.", "path"),
        ),
        errors=(404,),
    ),
    Route(
        "GET",
        "/v1/identity/consents/{consent_id}",
        get_consent,
        Right.PUBLIC,
        "A consent and those that it hangs on: to its parties, and the whole ledger's readers.",
        answers.ConsentChain,
        parameters=(Parameter("consent_id", HashText, "Id of the consent.", "path"),),
        errors=(404,),
    ),
)
