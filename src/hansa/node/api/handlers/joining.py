"""What a node that joins asks of others: which snapshots there are, and who signs which header."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from hansa.kernel.errors import NotFound
from hansa.node.api.rights import Right
from hansa.node.api.routes import Api, Call, Parameter, Route
from hansa.sdk import answers

LIGHT_COST = 4
"""More than the request itself: CometBFT is asked three times."""

ConsensusHeight = Annotated[int, Meta(ge=1, le=2**53)]


async def list_snapshots(api: Api, call: Call) -> answers.Snapshots:
    """List the snapshots that are kept."""
    del call
    network, keeper = api.node.chain.network, api.node.keeper
    return answers.Snapshots(
        snapshots=[
            answers.SnapshotOffered(
                height=manifest.height,
                consensus_height=manifest.consensus_height,
                header_hash=network.digest(network.header_prefix + manifest.header).hex(),
                chunks=len(manifest.chunks),
                hash=manifest.hash.hex(),
            )
            for manifest in ([] if keeper is None else keeper.snapshots)
        ]
    )


async def get_light_block(api: Api, call: Call, height: int) -> answers.LightBlock:
    """Get what CometBFT's light client asks for of a height."""
    api.add_cost(call, LIGHT_COST)
    found = await api.node.engine.fetch_light_block(height)
    if found is None:
        raise NotFound("this network is sealed: nobody votes, and CometBFT has no heights here")
    return answers.LightBlock(
        commit=dict(found.commit),
        validators=dict(found.validators),
    )


HEIGHT = Parameter("height", ConsensusHeight, "Height of CometBFT's block.", "path")

ROUTES = (
    Route(
        "GET",
        "/v1/snapshots",
        list_snapshots,
        Right.PUBLIC,
        "Snapshots from which others may begin.",
        answers.Snapshots,
    ),
    Route(
        "GET",
        "/v1/consensus/{height}",
        get_light_block,
        Right.PUBLIC,
        "What CometBFT's light client asks for of a height.",
        answers.LightBlock,
        parameters=(HEIGHT,),
        errors=(404,),
    ),
)
