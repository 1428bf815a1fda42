"""What routes say of proposals, blocks, wallets and supply, against what the ledger holds."""

from __future__ import annotations

import msgspec
import pytest
from tests.api.served import ADA, BANK, REGULATOR
from tests.world import ASSET, key

from hansa.contracts import governance, wallets
from hansa.contracts.actions import Action, SetPolicy
from hansa.sdk import answers

DAY_MS = 86_400_000


async def read(client, path, kind, headers=None):
    """Read an answer, strictly of its type."""
    response = await client.get(path, headers=headers)
    assert response.status == 200
    return msgspec.json.decode(await response.read(), type=kind)


def test_proposals_are_shown_with_their_votes_newest_first(own_town):
    world = own_town.world
    for days in (30, 45, 60):
        policy = SetPolicy("payments.refund_days", world.time_ms + 30 * DAY_MS, (days,))
        proposed = governance.Propose(key("officer0").address, Action.of("set_policy", policy))
        assert world.do(("officer0", "officer1"), proposed) == ""

    async def use(client, _):
        page = await read(client, "/v1/proposals", answers.Proposals)
        assert [found.number for found in page.proposals] == [3, 2, 1]
        assert page.next is None
        rest = await read(client, "/v1/proposals?before=3", answers.Proposals)
        assert rest.proposals == page.proposals[1:]
        found = await read(client, "/v1/proposals/2", answers.Proposal)
        assert found == page.proposals[1]
        assert (found.proposer, found.kind, found.state) == (BANK, "set_policy", "passed")
        (elector,) = found.electors
        assert (elector.address, elector.approves) == (BANK, True)
        assert found.approved == found.needed == found.total == 1
        assert bytes.fromhex(found.arguments) == msgspec.msgpack.encode(
            SetPolicy("payments.refund_days", world.time_ms + 30 * DAY_MS, (45,))
        )
        assert (await client.get("/v1/proposals/4")).status == 404

    own_town.serve(use)


def test_an_address_may_be_in_upper_case_but_not_in_both(own_town):
    async def use(client, _):
        headers = own_town.sign_in("customer")
        for path in ("/v1/wallets/{}", "/v1/wallets/{}/transactions"):
            plain = await client.get(path.format(ADA), headers=headers)
            upper = await client.get(path.format(ADA.upper()), headers=headers)
            assert (plain.status, await plain.json()) == (upper.status, await upper.json())
            assert plain.status == 200
            mixed = await client.get(path.format(ADA.replace("hansa", "HANSA")), headers=headers)
            assert mixed.status == 400

    own_town.serve(use)


def test_a_wallet_says_whose_orders_freeze_it(own_town):
    order = wallets.Freeze(key("ada").address, key("regulator").address, bytes(32))
    assert own_town.world.do("regulator", order) == ""

    async def use(client, _):
        headers = own_town.sign_in("customer")
        found = await read(client, f"/v1/wallets/{ADA}", answers.Wallet, headers)
        assert found.is_frozen
        assert found.orders_of == [REGULATOR]
        (money,) = found.balances
        own = own_town.world.balance("ada")
        assert (int(money.available_minor), int(money.held_minor)) == own

    own_town.serve(use)


def test_the_supply_is_that_of_all_vaults_and_wallets(town):
    async def use(client, _):
        headers = town.sign_in("regulator")
        (asset,) = (await read(client, "/v1/assets", answers.Assets)).assets
        assert asset.asset == ASSET
        total = 0
        for name in ("ada", "ben", "cleo", "shop"):
            path = f"/v1/wallets/{key(name).address_text}"
            for money in (await read(client, path, answers.Wallet, headers)).balances:
                total += int(money.available_minor) + int(money.held_minor)
        for name in ("north", "south"):
            path = f"/v1/vaults/{key(name).address_text}"
            vaults = (await read(client, path, answers.Vaults, headers)).vaults
            total += sum(int(vault.balance_minor) for vault in vaults)
        assert int(asset.issued_minor) == total

    town.serve(use)


def test_a_history_in_an_asset_that_is_none_is_not_found(town):
    async def use(client, _):
        path = f"/v1/wallets/{key('ada').address_text}/transactions"
        for asset, status in (("NONE", 404), ("MOP", 200)):
            answer = await client.get(f"{path}?asset={asset}", headers=town.sign_in("regulator"))
            assert answer.status == status
        assert answer.content_type == "application/json"

    town.serve(use)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/status"),
        ("GET", "/healthz"),
        ("GET", "/v1/records"),
        ("POST", "/v1/transactions"),
        ("GET", "/nowhere"),
        ("PUT", "/v1/status"),
    ],
)
def test_an_expectation_that_nobody_meets_is_a_problem(town, method, path):
    async def use(client, _):
        answer = await client.request(method, path, headers={"Expect": "foo"})
        assert (answer.status, answer.content_type) == (417, "application/problem+json")
        assert (await answer.json())["title"] == "EXPECTATION"

    town.serve(use)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("GET", "/supply"), ("POST", "/sign-in")]
)
def test_an_expectation_that_nobody_meets_is_told_on_a_page(town, method, path):
    async def use(client, _):
        origin = f"http://{client.server.host}:{client.server.port}"
        headers = {"Expect": "foo", "Origin": origin}
        answer = await client.request(method, path, headers=headers)
        assert (answer.status, answer.content_type) == (417, "text/html")
        assert "That cannot be expected" in await answer.text()

    town.serve(use)


def test_who_expects_to_go_on_is_told_to(town):
    async def use(client, _):
        form = {"key": "hansa-00000000-wrong"}
        headers = {"Origin": f"http://{client.server.host}:{client.server.port}"}
        answer = await client.post("/sign-in", data=form, headers=headers, expect100=True)
        assert answer.status == 401
        answer = await client.post("/v1/transactions", data=b"x", expect100=True)
        assert answer.status == 415

    town.serve(use)


def test_blocks_come_in_pages_and_end_at_genesis(town):
    async def use(client, _):
        top = town.world.chain.confirmed_height
        page = await read(client, "/v1/blocks?limit=5", answers.Blocks)
        assert [found.height for found in page.blocks] == list(range(top, top - 5, -1))
        first = await read(client, "/v1/blocks?from_height=1", answers.Blocks)
        assert [found.height for found in first.blocks] == [1, 0]
        above = await read(client, "/v1/blocks?from_height=999&limit=1", answers.Blocks)
        assert above.blocks == page.blocks[:1]
        block = await read(client, "/v1/blocks/1", answers.Block)
        assert block.hash == first.blocks[0].hash
        raw = bytes.fromhex(block.header)
        network = town.world.network
        assert network.digest(network.header_prefix + raw).hex() == block.hash
        assert (await client.get(f"/v1/blocks/{top + 1}")).status == 404
        for wrong in ("limit=0", "limit=51", "from_height=-1", "limit=5&limit=6", "more=1"):
            assert (await client.get(f"/v1/blocks?{wrong}")).status == 400

    town.serve(use)
