"""Reading what is public: status, blocks, members, assets, policy, proposals, genesis."""

from __future__ import annotations

import asyncio
from typing import Annotated

from aiohttp import web
from msgspec import Meta

import hansa
from hansa.contracts import currency, members, policy, proposals
from hansa.engine.chain import Chain
from hansa.kernel.block import BlockRecord, Header, decode_header, decode_receipt
from hansa.kernel.crypto.address import to_text
from hansa.kernel.encoding import encode
from hansa.kernel.errors import NotFound
from hansa.node.api.rights import Right
from hansa.node.api.routes import (
    MSGPACK,
    READ_PER_COST,
    RECEIPTS_PER_TURN,
    WALK_PER_COST,
    Api,
    Call,
    HeightNumber,
    Parameter,
    Route,
)
from hansa.node.records import list_header_fields, list_seals
from hansa.node.service import wall_clock_ms
from hansa.sdk import answers
from hansa.sdk.consensus import Consensus

BLOCKS_PER_PAGE = 20
PAGE_MAX = 50
PROPOSALS_PER_PAGE = 50
NUMBERS_READ_MAX = 1_000
"""Numbers of proposals looked at for one page: most may have been swept."""

VOTES_COST = 4
"""More than the request itself: CometBFT is asked, and signatures are verified."""

PageSize = Annotated[int, Meta(ge=1, le=PAGE_MAX)]
Number = Annotated[int, Meta(ge=1, le=2**53)]


async def get_status(api: Api, call: Call) -> answers.Status:
    """Get the newest confirmed block, and how the node stands."""
    del call
    chain = api.node.chain
    network = chain.network
    return answers.Status(
        **list_header_fields(network, api.node.get_header(chain.confirmed_height)),
        network=network.genesis.network,
        genesis_hash=network.genesis_hash.hex(),
        clock_ms=wall_clock_ms(),
        waiting=api.node.engine.queued,
        version=hansa.__version__,
    )


async def get_consensus(api: Api, call: Call) -> Consensus:
    """Get how the network comes to a block, as this node sees it."""
    del call
    return await api.node.watch.read()


async def get_genesis(api: Api, call: Call) -> web.Response:
    """Get the genesis document, byte for byte."""
    del call
    body = api.node.chain.network.genesis.encoded()
    return web.Response(body=body, content_type=MSGPACK)


async def list_blocks(api: Api, call: Call, from_height: int | None, limit: int) -> answers.Blocks:
    """List headers downwards from a height."""
    top = api.node.chain.confirmed_height
    first = top if from_height is None else min(from_height, top)
    api.node.chain.log.require_kept(first)
    found = []
    for height in api.node.chain.descend(first, limit):
        header = api.node.get_header(height)
        found.append(describe_header(api.node.chain, header))
        if not api.node.is_recent(height):  # it cost the reading of a block: let others in between
            api.add_cost(call, header.tx_count // READ_PER_COST)
            await asyncio.sleep(0)
    return answers.Blocks(blocks=found)


async def get_block(api: Api, call: Call, height: int) -> answers.Block:
    """Get a block; its transactions' ids for those who may read the whole ledger."""
    chain = api.node.chain
    if height > chain.confirmed_height:
        raise NotFound(f"there is no block {height} yet", height=height)
    sees_all = call.principal.may(Right.LEDGER)
    record = api.read_record(call, height, WALK_PER_COST if sees_all else READ_PER_COST)
    return answers.Block(
        **list_header_fields(chain.network, decode_header(record.header)),
        header=record.header.hex(),
        seals=describe_seals(record.signatures),
        dropped=len(record.dropped),
        transactions=await _list_ids(record) if sees_all else None,
    )


async def get_votes(api: Api, call: Call, height: int) -> web.Response:
    """Get the votes of validators on a block, with the hand-overs that lead to them."""
    if height > api.node.chain.confirmed_height:
        raise NotFound(f"there is no block {height} yet", height=height)
    api.add_cost(call, VOTES_COST)
    votes = await api.node.engine.fetch_votes(height)
    if votes is None:
        raise NotFound("this network is sealed: a block has seals, and nobody votes on it")
    return web.Response(body=encode(votes), content_type=MSGPACK)


async def _list_ids(record: BlockRecord) -> list[str]:
    ids = []
    for index, raw in enumerate(record.receipts):
        if index % RECEIPTS_PER_TURN == 0:
            await asyncio.sleep(0)
        ids.append(decode_receipt(raw).tx_id.hex())
    return ids


async def list_members(api: Api, call: Call) -> answers.Members:
    """List all institutions."""
    del call
    return answers.Members(
        members=[
            answers.Member(
                address=to_text(row.address),
                name=row.name,
                roles=[str(role) for role in row.roles],
                weight=row.weight,
                is_suspended=row.suspended,
                since_height=row.since_height,
            )
            for row in api.tables.load_all(members.Member)
        ]
    )


async def list_assets(api: Api, call: Call) -> answers.Assets:
    """List all assets with their supply."""
    del call
    return answers.Assets(
        assets=[
            answers.Asset(
                asset=row.asset,
                currency=row.currency,
                issuer=to_text(row.issuer),
                regime=row.regime.value,
                exponent=row.exponent,
                issued_minor=str(row.issued_minor),
            )
            for row in api.tables.load_all(currency.Asset)
        ]
    )


async def list_policy(api: Api, call: Call) -> answers.Policies:
    """List all policy, in force and scheduled."""
    del call
    return answers.Policies(
        policy=[
            answers.PolicyValue(
                name=row.name,
                entries=[
                    answers.PolicyEntry(
                        effective_ms=entry.effective_ms,
                        values=[str(value) for value in entry.values],
                    )
                    for entry in row.entries
                ],
            )
            for row in api.tables.load_all(policy.Policy)
        ]
    )


async def list_proposals(api: Api, call: Call, before: int | None) -> answers.Proposals:
    """List proposals that are still kept, newest first."""
    del call
    last = api.node.chain.machine.state.load(proposals.LastNumber, proposals.LastNumber.key())
    number = min(last.number if last else 0, 2**62 if before is None else before - 1)
    stop = max(0, number - NUMBERS_READ_MAX)
    found: list[answers.Proposal] = []
    while number > stop and len(found) < PROPOSALS_PER_PAGE:
        row = _load_proposal(api.node.chain, number)
        if row is not None:
            found.append(_describe_proposal(api.node.chain, row))
        number -= 1
    return answers.Proposals(proposals=found, next=str(number + 1) if number else None)


async def get_proposal(api: Api, call: Call, number: int) -> answers.Proposal:
    """Get a proposal."""
    del call
    row = _load_proposal(api.node.chain, number)
    if row is None:
        raise NotFound(f"there is no proposal {number}, or it was swept", number=number)
    return _describe_proposal(api.node.chain, row)


def describe_header(chain: Chain, header: Header) -> answers.BlockSummary:
    """Describe a block's header."""
    return answers.BlockSummary(**list_header_fields(chain.network, header))


def describe_seals(signatures: tuple[tuple[int, bytes, bytes], ...]) -> list[answers.Seal]:
    """Describe the seals of a block."""
    return [answers.Seal(**each) for each in list_seals(signatures)]


def _load_proposal(chain: Chain, number: int) -> proposals.Proposal | None:
    return chain.machine.state.load(proposals.Proposal, proposals.Proposal.key(number))


def _describe_proposal(chain: Chain, row: proposals.Proposal) -> answers.Proposal:
    return answers.Proposal(
        number=row.number,
        proposer=to_text(row.proposer),
        group=row.group.value,
        kind=row.kind,
        arguments=row.arguments.hex(),
        state=row.standing(chain.head.time_ms).value,
        approved=row.approved,
        rejected=row.rejected,
        objected=row.objected,
        needed=row.needed,
        total=row.total,
        opened_ms=row.opened_ms,
        closes_ms=row.closes_ms,
        ready_ms=row.ready_ms,
        expires_ms=row.expires_ms,
        electors=[
            answers.Elector(
                address=to_text(item.address),
                weight=item.weight,
                approves=item.approves,
                objects=item.objects,
            )
            for item in row.electors
        ],
    )


NUMBER = Parameter("number", Number, "Number of the proposal.", "path")
HEIGHT = Parameter("height", HeightNumber, "Height of the block.", "path")
BLOCK_PAGE = (
    Parameter("from_height", HeightNumber, "Highest block shown; the newest where not given."),
    Parameter("limit", PageSize, "Blocks a page.", default=BLOCKS_PER_PAGE),
)
BEFORE = Parameter("before", Number, "What the page before gave as `next`.")

ROUTES = (
    Route("GET", "/v1/status", get_status, Right.PUBLIC, "Newest block and node.", answers.Status),
    Route(
        "GET",
        "/v1/consensus",
        get_consensus,
        Right.PUBLIC,
        "Validators, peers, and whether blocks come.",
        Consensus,
    ),
    Route("GET", "/v1/genesis", get_genesis, Right.PUBLIC, "The genesis document.", MSGPACK),
    Route(
        "GET",
        "/v1/blocks",
        list_blocks,
        Right.PUBLIC,
        "Headers, newest first.",
        answers.Blocks,
        parameters=BLOCK_PAGE,
        errors=(404,),
    ),
    Route(
        "GET",
        "/v1/blocks/{height}",
        get_block,
        Right.PUBLIC,
        "A block with its seals.",
        answers.Block,
        parameters=(HEIGHT,),
        errors=(404,),
    ),
    Route(
        "GET",
        "/v1/blocks/{height}/votes",
        get_votes,
        Right.PUBLIC,
        "The votes of validators on a block.",
        MSGPACK,
        parameters=(HEIGHT,),
        errors=(404,),
    ),
    Route("GET", "/v1/members", list_members, Right.PUBLIC, "Institutions.", answers.Members),
    Route("GET", "/v1/assets", list_assets, Right.PUBLIC, "Assets, supply.", answers.Assets),
    Route("GET", "/v1/policy", list_policy, Right.PUBLIC, "Policy.", answers.Policies),
    Route(
        "GET",
        "/v1/proposals",
        list_proposals,
        Right.PUBLIC,
        "Proposals, newest first.",
        answers.Proposals,
        parameters=(BEFORE,),
    ),
    Route(
        "GET",
        "/v1/proposals/{number}",
        get_proposal,
        Right.PUBLIC,
        "A proposal with its votes.",
        answers.Proposal,
        parameters=(NUMBER,),
        errors=(404,),
    ),
)
