"""Who may read: one table of roles and routes, and what is left out of an answer."""

from __future__ import annotations

import json

import msgspec
import pytest
from tests.api.served import ADA, BANK, BEN, CALLERS, NORTH, NOW_MS, SOUTH
from tests.world import key

from hansa.contracts.members import Member
from hansa.kernel.machine.state import View
from hansa.node.api.keys import add_key, list_keys, revoke_key
from hansa.node.api.rights import Right, Role
from hansa.node.api.table import ROUTES
from hansa.node.settings import Access, LoopbackReads, Settings

COLUMNS = ("anyone", *CALLERS)
EVERYBODY = (200,) * 7
OF_RISK = (Right.RISK, Right.RISK_RELEASE)
NO_CHANNEL = (401, 403, 409, 409, 409, 409, 409)
"""This node has none, no pairs and no risk desk: test_messages, test_pairs, test_risk_desk."""
WHOLE_LEDGER = (401, 403, 403, 403, 200, 200, 200)
TABLE = {
    #                    anyone, customer, operator, other operator, member, central bank, regulator
    "/v1/status": EVERYBODY,
    "/v1/consensus": EVERYBODY,
    "/v1/consensus/3": (404,) * 7,  # nobody votes on it: the network is sealed
    "/v1/snapshots": EVERYBODY,
    "/v1/genesis": EVERYBODY,
    "/v1/blocks": EVERYBODY,
    "/v1/blocks/3": EVERYBODY,
    "/v1/blocks/3/votes": (404,) * 7,  # nobody votes on it: the network is sealed
    "/v1/members": EVERYBODY,
    "/v1/assets": EVERYBODY,
    "/v1/policy": EVERYBODY,
    "/v1/proposals": EVERYBODY,
    "/v1/proposals/1": (404,) * 7,
    "/v1/transactions/{tx_id}": EVERYBODY,
    "/v1/receipts/{tx_id}": EVERYBODY,
    f"/v1/wallets/{ADA}": (401, 200, 200, 403, 200, 200, 200),
    f"/v1/wallets/{BEN}": (401, 403, 200, 403, 200, 200, 200),
    f"/v1/wallets/{BANK}": (401, 403, 403, 403, 404, 404, 404),
    f"/v1/wallets/{ADA}/transactions": (401, 200, 200, 403, 200, 200, 200),
    f"/v1/wallets/{BEN}/transactions": (401, 403, 200, 403, 200, 200, 200),
    f"/v1/vaults/{NORTH}": (401, 403, 200, 403, 200, 200, 200),
    f"/v1/vaults/{SOUTH}": (401, 403, 403, 200, 200, 200, 200),
    f"/v1/proofs/balances/{ADA}?asset=MOP": (401, 200, 200, 403, 200, 200, 200),
    f"/v1/proofs/wallets/{BEN}": (401, 403, 200, 403, 200, 200, 200),
    f"/v1/proofs/vaults/{NORTH}?asset=MOP": (401, 403, 200, 403, 200, 200, 200),
    f"/v1/proofs/members/{NORTH}": EVERYBODY,
    "/v1/proofs/assets/MOP": EVERYBODY,
    "/v1/proofs/policy/sponsor.quota": EVERYBODY,
    "/v1/records?from_height=16": WHOLE_LEDGER,
    "/v1/base": (401, 403, 403, 403, 404, 404, 404),  # this node keeps all blocks
    "/v1/outbox": NO_CHANNEL,
    f"/v1/outbox/{'00' * 16}": NO_CHANNEL,
    "/v1/inbox": NO_CHANNEL,
    "/v1/inbox/3": NO_CHANNEL,
    f"/v1/identity/dids/did:hansa:test:{NORTH}": EVERYBODY,
    f"/v1/identity/dids/did:hansa:test:{BEN}": (404,) * 7,
    "/v1/identity/schemas": EVERYBODY,
    "/v1/identity/schemas/resident/1": (404,) * 7,
    f"/v1/identity/accreditations/{NORTH}/resident": EVERYBODY,
    f"/v1/identity/status-lists/{NORTH}/1": (404,) * 7,
    f"/v1/identity/status-lists/{NORTH}/1/entries": (404,) * 7,
    f"/v1/identity/status-lists/{NORTH}/1/entries/1": (404,) * 7,
    f"/v1/identity/evidence/{NORTH}/{'00' * 32}": (404,) * 7,
    f"/v1/identity/consents/{'00' * 32}": (401, *[404] * 6),
    "/v1/reconciliation/agreements": (401, *[200] * 6),
    f"/v1/reconciliation/agreements/{'00' * 32}": (401, *[404] * 6),
    f"/v1/reconciliation/agreements/{'00' * 32}/windows/1": (401, *[404] * 6),
    f"/v1/reconciliation/agreements/{'00' * 32}/windows/1/tags/{'00' * 16}": (401, *[404] * 6),
    f"/v1/reconciliation/agreements/{'00' * 32}/cases": (401, *[404] * 6),
    f"/v1/reconciliation/agreements/{'00' * 32}/cases/{'00' * 32}": (401, *[404] * 6),
    f"/v1/reconciliation/agreements/{'00' * 32}/positions/1/MOP": (401, *[404] * 6),
    f"/v1/risk/operators/{NORTH}": EVERYBODY,
    "/v1/risk/standing": NO_CHANNEL,
    "/v1/risk/waiting": NO_CHANNEL,
    "/v1/risk/held": NO_CHANNEL,
    f"/v1/risk/decisions/{'00' * 32}": NO_CHANNEL,
    f"/v1/risk/policies/{'00' * 32}": NO_CHANNEL,
    f"/v1/risk/models/{'00' * 32}": NO_CHANNEL,
    "/v1/pairs": NO_CHANNEL,
    f"/v1/pairs/{'00' * 32}": NO_CHANNEL,
    f"/v1/pairs/{'00' * 32}/windows/1": NO_CHANNEL,
    f"/v1/pairs/{'00' * 32}/windows/1/matches": NO_CHANNEL,
    f"/v1/pairs/{'00' * 32}/breaks": NO_CHANNEL,
    f"/v1/pairs/{'00' * 32}/cases": NO_CHANNEL,
    f"/v1/pairs/{'00' * 32}/cases/{'00' * 32}": NO_CHANNEL,
    f"/v1/pairs/{'00' * 32}/positions": NO_CHANNEL,
    f"/v1/pairs/{'00' * 32}/positions/1/MOP": NO_CHANNEL,
    "/metrics": EVERYBODY,  # the tests ask from this machine
    "/healthz": EVERYBODY,
    "/readyz": EVERYBODY,
    "/openapi.json": EVERYBODY,
    "/": EVERYBODY,
    "/supply": EVERYBODY,
    "/blocks/3": EVERYBODY,
    "/policy": EVERYBODY,
    "/validators": EVERYBODY,
    "/transactions/{tx_id}": EVERYBODY,
    "/transactions/{tx_id}/receipt": EVERYBODY,
    f"/wallets/{ADA}": (401, 200, 200, 403, 200, 200, 200),
    f"/wallets/{BEN}": (401, 403, 200, 403, 200, 200, 200),
}

API = ("/v1/", "/metrics", "/healthz", "/readyz", "/openapi.json")
"""Where the API's routes begin; the others are pages of the console."""


@pytest.mark.parametrize("caller", COLUMNS)
def test_every_role_reads_what_the_table_says(town, caller):
    async def use(client, _):
        found = {}
        for path in TABLE:
            url = path.replace("{tx_id}", town.last_tx_id)
            response = await client.get(url, headers=town.sign_in(caller))
            found[path] = response.status
        expected = {path: row[COLUMNS.index(caller)] for path, row in TABLE.items()}
        assert found == expected

    town.serve(use)


def test_the_table_has_every_route():
    shown = {path.partition("?")[0] for path in TABLE if path.startswith(API)}
    for values in ("3", "1"):
        shown = {path.replace(f"/{values}", "/{}") for path in shown}
    depths = {(path.split("/")[:3][-1], path.count("/")) for path in shown}
    wanted = {
        (route.path.split("/")[:3][-1], route.path.count("/"))
        for route in ROUTES
        if route.method == "GET" and route.path != "/v1/events"
    }
    assert wanted <= depths


def test_answers_are_of_the_types_that_the_document_describes(town):
    async def use(client, _):
        checked = set()
        for path, row in TABLE.items():
            if row[COLUMNS.index("regulator")] != 200 or not path.startswith(API):
                continue
            url = path.replace("{tx_id}", town.last_tx_id)
            response = await client.get(url, headers=town.sign_in("regulator"))
            parts = path.partition("?")[0].split("/")
            (route,) = [found for found in ROUTES if fits(found.path.split("/"), parts)]
            if isinstance(route.answer, str):
                assert response.content_type == route.answer
            else:
                strict = msgspec.json.decode(await response.read(), type=route.answer)
                assert msgspec.json.encode(strict) == await response.read()
            checked.add(route.path)
        left = {
            route.path
            for route in ROUTES
            if route.method == "GET"
            and not route.path.startswith(("/v1/identity/", "/v1/reconciliation/", "/v1/pairs"))
            and not (route.path.startswith("/v1/risk/") and route.right in OF_RISK)
        } - checked  # those are checked in the tests of each
        messages = {"/v1/outbox", "/v1/outbox/{message_id}", "/v1/inbox", "/v1/inbox/{number}"}
        voted = {"/v1/blocks/{height}/votes", "/v1/consensus/{height}"}
        others = {"/v1/base", "/v1/events", "/v1/proposals/{number}"}
        assert left == messages | voted | others

    town.serve(use)


def fits(pattern, parts):
    """Whether the parts of a path are those of a route."""
    return len(pattern) == len(parts) and all(
        want.startswith("{") or want == part for want, part in zip(pattern, parts, strict=True)
    )


def test_a_loopback_caller_reads_everything_where_settings_say_so(town):
    async def use(client, _):
        assert (await client.get(f"/v1/wallets/{ADA}")).status == 200
        assert (await client.get("/")).status == 200

    town.serve(use, Settings(access=Access(loopback=LoopbackReads.EVERYTHING)))


def test_ids_are_listed_to_those_alone_who_may_read_the_ledger(town):
    async def use(client, _):
        for caller, is_listed in (("anyone", False), ("operator", False), ("regulator", True)):
            block = await (await client.get("/v1/blocks/5", headers=town.sign_in(caller))).json()
            assert (block["transactions"] is not None) == is_listed

    town.serve(use)


def test_a_transaction_hides_balances_of_others(town):
    async def use(client, _):
        shown = {}
        for caller in ("anyone", "customer", "operator"):
            url = f"/v1/transactions/{town.last_tx_id}"
            found = await (await client.get(url, headers=town.sign_in(caller))).json()
            shown[caller] = {
                change["owner"]: change["balance_minor"] is not None for change in found["changes"]
            }
        shop = next(owner for owner in shown["anyone"] if owner != ADA)
        assert shown["anyone"] == {ADA: False, shop: False}
        assert shown["customer"] == {ADA: True, shop: False}
        assert shown["operator"] == {ADA: True, shop: True}

    town.serve(use)


@pytest.mark.parametrize(
    "shown",
    ["", "Basic YTpi", "Bearer", "Bearer ", "Bearer hansa-00000000-AAAA", "Bearer é", "hansa-1-2"],
)
def test_a_wrong_key_is_not_the_same_as_none(town, shown):
    async def use(client, _):
        headers = {"Authorization": shown}
        response = await client.get("/v1/status", headers=headers)
        assert response.status == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
        assert (await response.json())["title"] == "UNAUTHENTICATED"

    town.serve(use)


def test_a_revoked_key_stops_at_once_and_an_expired_one_at_its_time(own_town):
    async def use(client, _):
        headers = own_town.sign_in("customer")
        assert (await client.get(f"/v1/wallets/{ADA}", headers=headers)).status == 200
        (entry,) = [found for found in list_keys(own_town.path) if found.name == "customer"]
        revoke_key(own_town.path, entry.id, NOW_MS)
        assert (await client.get(f"/v1/wallets/{ADA}", headers=headers)).status == 401
        for expires_ms, status in ((NOW_MS + 1, 200), (NOW_MS, 401)):
            fields = {"role": Role.CUSTOMER, "wallets": [ADA], "expires_ms": expires_ms}
            _, token = add_key(own_town.path, name="short", now_ms=1, **fields)
            headers = {"Authorization": f"Bearer {token}"}
            assert (await client.get("/v1/status", headers=headers)).status == status

    own_town.serve(use)


def test_a_key_stops_at_once_when_its_institution_is_suspended_or_loses_its_role(own_town):
    async def use(client, _):
        state = own_town.world.chain.machine.state
        row = state.load(Member, Member.key(key("north").address))
        headers = own_town.sign_in("operator")
        for changed, status in (({"suspended": True}, 401), ({"roles": ()}, 401), ({}, 200)):
            view = View(state, 9, 9)
            view.put(msgspec.structs.replace(row, **changed))
            view.commit()
            state.end_block(state.list_writes())
            assert (await client.get(f"/v1/wallets/{ADA}", headers=headers)).status == status

    own_town.serve(use)


def test_a_damaged_file_of_keys_is_the_nodes_fault(own_town):
    own_town.path.write_text("{}")

    async def use(client, _):
        response = await client.get("/v1/status", headers=own_town.sign_in("member"))
        assert response.status == 503
        assert str(own_town.path) not in json.dumps(await response.json())
        assert (await client.get("/v1/status")).status == 200

    own_town.serve(use)


def test_a_right_that_is_missing_is_told_in_words(town):
    async def use(client, _):
        answer = await client.get("/v1/records", headers=town.sign_in("customer"))
        assert answer.status == 403
        assert (await answer.json())["detail"].endswith(
            "does not have the right 'ledger': roles that have it are member, central_bank and "
            "regulator"
        )

    town.serve(use)
