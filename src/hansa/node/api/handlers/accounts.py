"""Reading what is somebody's: wallets, vaults, transactions, receipt files, proofs of rows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

from aiohttp import web
from msgspec import Meta

from hansa.contracts import balances, currency, members, policy, wallets
from hansa.contracts.identity import tiers
from hansa.engine.chain import Chain
from hansa.engine.record_items import find_envelope, list_envelopes
from hansa.kernel.block import BlockRecord, Receipt, decode_header, decode_receipt, split_position
from hansa.kernel.crypto.address import from_text, to_text
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Invalid, InvalidCode, NotFound
from hansa.kernel.machine.state import Reader
from hansa.kernel.receipt_file import build_receipt_file
from hansa.kernel.rows import Row
from hansa.kernel.transaction import decode_envelope
from hansa.node.api.handlers.ledger import describe_seals
from hansa.node.api.rights import Principal, Right
from hansa.node.api.routes import (
    ADDRESS,
    BYTES,
    READ_PER_COST,
    TX_ID,
    WALK_PER_COST,
    Api,
    AssetText,
    Call,
    Parameter,
    Route,
)
from hansa.node.tables import Tables
from hansa.sdk import answers

HISTORY_PER_PAGE = 20
HISTORY_PAGE_MAX = 100
KEY_BYTES_MAX = 96
"""Of what a proof is asked of, in UTF-8."""

Position = Annotated[int, Meta(ge=0, le=2**62)]
PageSize = Annotated[int, Meta(ge=1, le=HISTORY_PAGE_MAX)]


class Delta(NamedTuple):
    """One change of a balance, as a receipt tells it."""

    ledger: str
    owner: bytes
    asset: str
    amount_minor: int
    balance_minor: int
    previous: int


def iterate_deltas(receipt: Receipt) -> Iterator[Delta]:
    """Iterate the balance changes of a receipt, in order."""
    for _, _, fields in receipt.events:
        for raw in fields[0]:
            yield Delta(*raw)


def may_read_owner(api: Api, principal: Principal, delta: Delta) -> bool:
    """Whether a caller may read the balance that a change is of."""
    if delta.ledger == "issued":
        return True
    if delta.ledger == "vault":
        return api.access.may_read_vault(principal, delta.owner)
    return api.access.may_read_wallet(principal, delta.owner)


def describe_delta(delta: Delta, *, is_readable: bool) -> answers.Change:
    """Describe a change; the balance after it for those who may read that."""
    return answers.Change(
        ledger=delta.ledger,  # type: ignore[arg-type]
        owner=to_text(delta.owner),
        asset=delta.asset,
        amount_minor=str(delta.amount_minor),
        balance_minor=str(delta.balance_minor) if is_readable else None,
    )


def read_wallet(chain: Chain, tables: Tables, address: bytes) -> answers.Wallet:
    """Read a wallet with its balances from a chain.

    Raises:
      NotFound: there is none with this address.
    """
    wallet = _load_wallet(chain, address)
    time_ms = chain.head.time_ms
    return answers.Wallet(
        wallet=to_text(address),
        operator=to_text(wallet.operator),
        category=wallets.get_category(wallet, time_ms).name,  # type: ignore[arg-type]
        given_category=wallet.category.name,  # type: ignore[arg-type]
        lift=_describe_lift(tiers.find_lift(Reader(chain.machine.state), address, time_ms)),
        opened_ms=wallet.opened_ms,
        is_closed=wallet.closed,
        is_frozen=wallet.self_frozen or bool(wallet.authority),
        orders_of=_list_authorities(wallet),
        balances=[
            answers.WalletBalance(
                asset=row.asset,
                available_minor=str(row.available_minor),
                held_minor=str(row.held_minor),
            )
            for row in _load_balances(chain, tables, address)
        ],
    )


def _describe_lift(lift: tiers.Lift | None) -> answers.Lift | None:
    if lift is None:
        return None
    return answers.Lift(
        category=lift.category.name,  # type: ignore[arg-type]
        nullifier=lift.nullifier.hex(),
        presentation_hash=lift.presentation_hash.hex(),
        presented_until_ms=lift.presented_until_ms,
        since_ms=lift.since_ms,
        until_ms=lift.until_ms,
    )


async def get_wallet(api: Api, call: Call, address: str) -> answers.Wallet:
    """Get a wallet with its balances."""
    key = from_text(address)
    api.access.require_wallet(call.principal, key)
    return read_wallet(api.node.chain, api.tables, key)


async def list_history(
    api: Api, call: Call, address: str, asset: str | None, before: int | None, limit: int
) -> answers.History:
    """List the transactions that changed a wallet's money, newest first.

    Each change names the one before, so that no index is needed; see docs/ARCHITECTURE.md. Where
    that is in a block that is not kept, the list ends and says so.
    """
    key = from_text(address)
    api.access.require_wallet(call.principal, key)
    _load_wallet(api.node.chain, key)
    if asset is not None and all(row.asset != asset for row in api.tables.load_all(currency.Asset)):
        raise NotFound(f"there is no asset {asset!r}: /v1/assets lists them")
    rows = sorted(
        _load_balances(api.node.chain, api.tables, key), key=lambda row: row.previous, reverse=True
    )
    shown = next((row for row in rows if asset in {None, row.asset}), None)
    if shown is None:
        return answers.History(
            wallet=to_text(key), asset=asset, transactions=[], next=None, cut_below=None
        )
    newest = shown.previous
    position = newest if before is None else before
    if position > newest:
        raise _no_such_place()
    await api.node.confirm(split_position(position)[0])
    entries: list[answers.HistoryEntry] = []
    log = api.node.chain.log
    while len(entries) < limit and position and split_position(position)[0] >= log.height_min:
        record = api.read_record(call, split_position(position)[0])
        entry, position = _read_entry(record, key, shown.asset, position)
        entries.append(entry)
        await asyncio.sleep(0)  # each costs the reading of a block: let others in between
    api.add_cost(call, max(0, len(entries) - 1))
    is_cut = bool(position) and split_position(position)[0] < log.height_min
    return answers.History(
        wallet=to_text(key),
        asset=shown.asset,
        transactions=entries,
        next=str(position) if position and not is_cut else None,
        cut_below=log.height_min if is_cut else None,
    )


def _read_entry(
    record: BlockRecord, wallet: bytes, asset: str, position: int
) -> tuple[answers.HistoryEntry, int]:
    """Read one place of a history; returns it and the position of the one before."""
    height, index = split_position(position)
    if index >= len(record.receipts):
        raise _no_such_place()
    receipt = decode_receipt(record.receipts[index])
    own = [
        delta
        for delta in iterate_deltas(receipt)
        if delta.owner == wallet and delta.asset == asset and delta.ledger in {"wallet", "held"}
    ]
    if not own:
        raise _no_such_place()
    _, body = decode_envelope(find_envelope(record, index)[0])
    entry = answers.HistoryEntry(
        tx_id=receipt.tx_id.hex(),
        height=height,
        index=index,
        time_ms=decode_header(record.header).time_ms,
        calls=[f"{item.contract}.{item.command}" for item in body.calls],
        changes=[describe_delta(delta, is_readable=True) for delta in own],
    )
    return entry, min((delta.previous for delta in own if delta.previous < position), default=0)


def _no_such_place() -> Invalid:
    return Invalid(
        InvalidCode.MALFORMED,
        "this wallet's history has no such place: give as before what a page gave as next",
    )


async def get_vaults(api: Api, call: Call, address: str) -> answers.Vaults:
    """Get an institution's vaults."""
    key = from_text(address)
    if not api.access.may_read_vault(call.principal, key):
        raise api.access.deny(call.principal, "this vault: it is another institution's")
    state = api.node.chain.machine.state
    if state.load(members.Member, members.Member.key(key)) is None:
        raise NotFound("there is no member with this address")
    found = [
        state.load(currency.Vault, currency.Vault.key(key, row.asset))
        for row in api.tables.load_all(currency.Asset)
    ]
    rows = [row for row in found if row is not None]
    return answers.Vaults(
        operator=to_text(key),
        vaults=[
            answers.Vault(
                asset=row.asset,
                balance_minor=str(row.balance_minor),
                quota_minor=str(row.quota_minor),
                issued_minor=str(row.issued_minor),
            )
            for row in rows
        ],
    )


async def get_transaction(api: Api, call: Call, tx_id: str) -> answers.Transaction:
    """Get a transaction with its receipt, by its id."""
    height, index, record = await _find(api, call, tx_id)
    envelope, sponsor, attestation = find_envelope(record, index)
    _, body = decode_envelope(envelope)
    receipt = decode_receipt(record.receipts[index])
    facts = dict(dict(record.facts).get(index, ()))
    return answers.Transaction(
        tx_id=tx_id,
        height=height,
        index=index,
        time_ms=decode_header(record.header).time_ms,
        status=receipt.status.name,  # type: ignore[arg-type]
        code=receipt.code,
        facts={name: str(fact) for name, fact in facts.items()},
        signers=[to_text(signer) for signer in body.signers],
        sponsor=to_text(sponsor),
        attestation=attestation.hex() if attestation else None,
        calls=[f"{item.contract}.{item.command}" for item in body.calls],
        events=[f"{contract}.{name}" for contract, name, _ in receipt.events],
        changes=[
            describe_delta(delta, is_readable=may_read_owner(api, call.principal, delta))
            for delta in iterate_deltas(receipt)
        ],
    )


async def get_receipt(api: Api, call: Call, tx_id: str) -> web.Response:
    """Get a transaction's receipt file, which proves itself without this node."""
    height, index, record = await _find(api, call, tx_id, WALK_PER_COST)
    votes = await api.node.engine.fetch_votes(height)
    raw = build_receipt_file(api.node.chain.network, record, list_envelopes(record), index, votes)
    headers = {"Content-Disposition": f'attachment; filename="receipt-{tx_id[:16]}.bin"'}
    return web.Response(body=raw, content_type=BYTES, headers=headers)


async def _find(
    api: Api, call: Call, tx_id: str, receipts_per_cost: int = READ_PER_COST
) -> tuple[int, int, BlockRecord]:
    """Find a confirmed transaction: height, index, block."""
    try:
        height, index = api.node.chain.find_position(bytes.fromhex(tx_id))
    except NotFound as missing:
        raise await api.node.watch.explain_missing(missing) from None
    await api.node.confirm(height)
    return height, index, api.read_record(call, height, receipts_per_cost)


def _load_wallet(chain: Chain, address: bytes) -> wallets.Wallet:
    wallet = chain.machine.state.load(wallets.Wallet, wallets.Wallet.key(address))
    if wallet is None:
        raise NotFound("there is no wallet with this address")
    return wallet


def _load_balances(chain: Chain, tables: Tables, address: bytes) -> list[balances.Balance]:
    state = chain.machine.state
    found = [
        state.load(balances.Balance, balances.Balance.key(address, row.asset))
        for row in tables.load_all(currency.Asset)
    ]
    return [row for row in found if row is not None]


def _list_authorities(wallet: wallets.Wallet) -> list[str]:
    first = [wallet.authority] if wallet.authority else []
    return [to_text(address) for address in (*first, *(o.authority for o in wallet.further_orders))]


def _anybody(api: Api, principal: Principal, key: bytes) -> bool:
    del api, key
    return principal.may(Right.PUBLIC)


def _wallets_reader(api: Api, principal: Principal, key: bytes) -> bool:
    return api.access.may_read_wallet(principal, key)


def _vaults_reader(api: Api, principal: Principal, key: bytes) -> bool:
    return api.access.may_read_vault(principal, key)


@dataclass(frozen=True, slots=True)
class Provable:
    """A table whose rows can be proved: how their keys are given, and to whom."""

    row: type[Row]
    parts: tuple[Literal["address", "name", "asset"], ...]
    """Of its key."""
    may_read: Callable[[Api, Principal, bytes], bool]


PROVABLE: dict[str, Provable] = {
    "balances": Provable(balances.Balance, ("address", "asset"), _wallets_reader),
    "wallets": Provable(wallets.Wallet, ("address",), _wallets_reader),
    "lifts": Provable(tiers.Lift, ("address",), _wallets_reader),
    "vaults": Provable(currency.Vault, ("address", "asset"), _vaults_reader),
    "members": Provable(members.Member, ("address",), _anybody),
    "assets": Provable(currency.Asset, ("name",), _anybody),
    "policy": Provable(policy.Policy, ("name",), _anybody),
}


async def get_proof(
    api: Api, call: Call, table: str, key: str, asset: str | None
) -> answers.RowProof:
    """Prove a row, or that there is none, as of the last confirmed checkpoint."""
    provable = PROVABLE[table]
    has_asset = "asset" in provable.parts
    if has_asset != (asset is not None):
        need = "needs" if has_asset else "has no"
        raise Invalid(InvalidCode.MALFORMED, f"a proof of {table} {need} query parameter asset")
    if len(key.encode(errors="surrogatepass")) > KEY_BYTES_MAX:
        raise Invalid(InvalidCode.MALFORMED, f"path key: it has more than {KEY_BYTES_MAX} bytes")
    first: Any = from_text(key) if "address" in provable.parts else key
    if not provable.may_read(api, call.principal, first):
        raise api.access.deny(call.principal, f"this row of {table}")
    chain = api.node.chain
    # While a checkpoint is executed but not confirmed, the tree is ahead of what is sealed.
    while chain.head.checkpoint_height > chain.confirmed_height:
        await api.node.confirm(chain.head.checkpoint_height)
    found = chain.prove_row(provable.row.key(*([first] if asset is None else [first, asset])))
    height = decode_header(found.header).height
    votes = await api.node.engine.fetch_votes(height)
    return answers.RowProof(
        table=table,
        height=height,
        key=found.key.hex(),
        value=None if found.value is None else found.value.hex(),
        path=[node.hex() for node in found.path],
        header=found.header.hex(),
        seals=describe_seals(found.signatures),
        votes=None if votes is None else encode(votes).hex(),
    )


TableName = Literal["balances", "wallets", "lifts", "vaults", "members", "assets", "policy"]
KeyText = Annotated[str, Meta(min_length=1, max_length=KEY_BYTES_MAX)]
ASSET = Parameter("asset", AssetText, "Asset; that which changed last where not given.")

ROUTES = (
    Route(
        "GET",
        "/v1/wallets/{address}",
        get_wallet,
        Right.PUBLIC,
        "A wallet with its balances: the owner's, its operator's, and the whole ledger's readers.",
        answers.Wallet,
        parameters=(ADDRESS,),
        errors=(403, 404),
    ),
    Route(
        "GET",
        "/v1/wallets/{address}/transactions",
        list_history,
        Right.PUBLIC,
        "A wallet's history, newest first; to the same callers as the wallet.",
        answers.History,
        parameters=(
            ADDRESS,
            ASSET,
            Parameter("before", Position, "What the page before gave as `next`."),
            Parameter("limit", PageSize, "Transactions a page.", default=HISTORY_PER_PAGE),
        ),
        errors=(403, 404),
    ),
    Route(
        "GET",
        "/v1/vaults/{address}",
        get_vaults,
        Right.OWN_VAULTS,
        "An institution's vaults: its own, and the whole ledger's readers.",
        answers.Vaults,
        parameters=(ADDRESS,),
        errors=(403, 404),
    ),
    Route(
        "GET",
        "/v1/transactions/{tx_id}",
        get_transaction,
        Right.BY_ID,
        "A transaction and its receipt, to whoever knows its id.",
        answers.Transaction,
        parameters=(TX_ID,),
        errors=(404,),
    ),
    Route(
        "GET",
        "/v1/receipts/{tx_id}",
        get_receipt,
        Right.BY_ID,
        "A transaction's receipt file, to whoever knows its id.",
        BYTES,
        parameters=(TX_ID,),
        errors=(404,),
    ),
    Route(
        "GET",
        "/v1/proofs/{table}/{key}",
        get_proof,
        Right.PUBLIC,
        "Proof of a row of the state, or of its absence; to those who may read the row.",
        answers.RowProof,
        parameters=(
            Parameter("table", TableName, "Which table.", "path"),
            Parameter("key", KeyText, "Address, asset, or name of a policy.", "path"),
            Parameter("asset", AssetText, "Of balances and vaults."),
        ),
        errors=(403,),
    ),
)
