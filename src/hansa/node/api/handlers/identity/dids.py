"""DID Resolution over HTTP, now and at a time."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from hansa.identity.encoding.timestamp import read_timestamp
from hansa.identity.faults import Fault, Unsound
from hansa.identity.methods.did import read_did
from hansa.identity.methods.hansa import (
    read_address,
    resolve_did_hansa,
    write_document,
    write_metadata,
)
from hansa.node.api.handlers.identity.rights import (
    read_rows,
    require_resolvable,
    tell_no_document,
)
from hansa.node.api.rights import Right
from hansa.node.api.routes import Api, Call, Parameter, Route
from hansa.node.service import wall_clock_ms
from hansa.sdk.identity.answers import DidResolution

MEDIA_TYPE = "application/did"

DidText = Annotated[str, Meta(min_length=5, max_length=512)]
MomentText = Annotated[str, Meta(min_length=20, max_length=40)]


async def resolve_did(api: Api, call: Call, did: str, version_time: str | None) -> DidResolution:
    """Resolve a DID of this network."""
    at_ms = None if version_time is None else read_timestamp(version_time, "version_time")
    if at_ms is not None and at_ms < 0:
        raise tell_no_document()
    read = read_did(did)
    network = api.node.chain.network.genesis.network
    require_resolvable(api, call.principal, read_address(read, network))
    now_ms = max(api.node.chain.head.time_ms, wall_clock_ms())
    try:
        found = resolve_did_hansa(read_rows(api), network, read, now_ms, at_ms)
    except Unsound as error:
        if error.fault is not Fault.UNRESOLVED:
            raise
        raise tell_no_document() from None
    return DidResolution(
        did_document=write_document(found),
        did_document_metadata=write_metadata(found),
        did_resolution_metadata={"contentType": MEDIA_TYPE},
    )


ROUTES = (
    Route(
        "GET",
        "/v1/identity/dids/{did}",
        resolve_did,
        Right.PUBLIC,
        "A DID document and its metadata, now or at a time. An address with a wallet and no "
        "document of its own: to the wallet's readers.",
        DidResolution,
        parameters=(
            Parameter("did", DidText, "DID of this network: did:hansa:NETWORK:ADDRESS.", "path"),
            Parameter(
                "version_time",
                MomentText,
                "The moment asked for, as 2026-11-29T12:00:00Z; the present where not given.",
            ),
        ),
        errors=(404,),
    ),
)
