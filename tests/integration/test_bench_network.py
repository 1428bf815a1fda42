"""The network's benchmark as people call it, for a moment; and what scoring costs four nodes."""

import asyncio
import json
import subprocess
import sys
from random import Random

import pytest
from tests.conftest import HANSA
from tests.integration.deciding_processes import Operator, found_deciding
from tests.integration.paying import load_keys
from tests.integration.voted_processes import running_network
from tests.world import ASSET, key, pay

from hansa.contracts import currency, payments, wallets
from hansa.risk.shipped.loading import MODEL_NAME, RULES_NAME, read_shipped
from hansa.sdk.answers import TransactionResult
from hansa.sdk.build import sign_transaction

pytestmark = pytest.mark.integration

WALLETS = 100
"""Of each operator."""
PER_REQUEST = 200
REQUESTS = 8
"""Under way at a time at each of the two nodes."""
SCORED_S = 20
SIGNED = 300
"""Requests of each operator's customers, signed beforehand: more than can be confirmed."""
UNLIMITED = "\n[limits]\nanyone_per_s = 0.0\nknown_per_s = 0.0\n"
HOLDS_NOTHING = b"version = 1\n"


def test_four_validators_confirm_payments_and_agree(cometbft):
    command = [HANSA, "bench", "network", "--seconds", "1", "--wallets", "64", "--json"]
    done = subprocess.run(command, capture_output=True, timeout=400, check=True)
    found = json.loads(done.stdout)
    assert found["confirmed"] > 0
    assert found["headers_equal"] is True
    assert found["kvstore_per_s"] > 0
    assert found["ratio_to_kvstore"] == pytest.approx(
        found["confirmed_per_s"] / found["kvstore_per_s"], rel=0.02, abs=0.002
    )
    parts = found["cpu_us_by_part"]
    assert set(parts) == {"executing", "verifying", "cometbft"}
    assert sum(parts.values()) == pytest.approx(found["cpu_us_per_payment_per_node"], abs=3)


@pytest.mark.soak
def test_what_scoring_costs_four_nodes(cometbft, tmp_path, capsys):
    """Single payments by their payers, through the nodes of two operators; printed."""
    per_s = {
        is_scored: asyncio.run(measure(tmp_path / f"{is_scored}", is_scored=is_scored))
        for is_scored in (False, True)
    }
    with capsys.disabled():
        told = ", ".join(f"{rate:.0f}/s" for rate in per_s.values())
        sys.stdout.write(f"\n  four nodes, without and with scoring: {told}\n")
    assert min(per_s.values()) > 0


async def measure(folder, *, is_scored):
    """Measure how many payments are confirmed a second."""
    nodes = found_deciding(folder)
    for node in nodes:
        settings = node.home.settings_path
        settings.write_text(settings.read_text() + UNLIMITED)
    operators = []
    if is_scored:
        files = (read_shipped(MODEL_NAME), HOLDS_NOTHING, read_shipped(RULES_NAME))
        operators = [Operator(node, *files) for node in nodes[1:3]]
    async with running_network(nodes) as network:
        for operator in operators:
            for answer in await operator.put_in_force():
                answer.require_ok()
        for number in (0, 1):
            await open_wallets(network.nodes, number)
        signed = [await sign(node.client, number) for number, node in enumerate(nodes[1:3])]
        clock = asyncio.get_running_loop().time
        begun_s = clock()
        counts = await asyncio.gather(
            *(
                send(node.client, envelopes, begun_s + SCORED_S)
                for node, requests in zip(network.nodes[1:3], signed, strict=True)
                for envelopes in [iter(requests)]
                for _ in range(REQUESTS)
            )
        )
        per_s = sum(counts) / (clock() - begun_s)
        for operator in operators:
            standing = await operator.officer.risk.get_standing()
            assert standing.is_scored
            assert standing.events > sum(counts) // 3  # own customers' at least
            await operator.close()
        return per_s


async def open_wallets(nodes, number):
    """Open wallets with money at one of the operators."""
    node, officer = nodes[1 + number], load_keys(nodes[1 + number])[0]
    issued = (
        currency.SetQuota(officer.address, ASSET, 10**12),
        currency.Issue(officer.address, ASSET, WALLETS * 1_000_000),
    )
    (await nodes[0].client.send(load_keys(nodes[0]), issued)).require_ok()
    for first in range(0, WALLETS, 5):
        opened = []
        for wallet in (key(f"{number} {each}").address for each in range(first, first + 5)):
            opened += (
                wallets.Open(wallet, officer.address, wallets.Category(1)),
                payments.CashIn(officer.address, wallet, ASSET, 1_000_000, wallet.hex()[:20]),
            )
        (await node.client.send([officer], opened)).require_ok()


async def sign(client, number):
    """Sign what customers of one operator pay, to those of both, a request at a time."""
    random = Random(number)
    network, until_ms = await client.get_network(), await client.get_valid_until(800_000)

    def sign_one(at):
        payer = f"{number} {random.randrange(WALLETS)}"
        payee = f"{random.randrange(2)} {random.randrange(WALLETS)}"
        if payee == payer:
            payee = f"{1 - number} 0"
        command = pay(payer, payee, random.randint(1, 99), f"{at}")
        return sign_transaction(network, [key(payer)], [command], until_ms).envelope

    return [
        [sign_one(at * PER_REQUEST + place) for place in range(PER_REQUEST)] for at in range(SIGNED)
    ]


async def send(client, requests, end_s):
    """Send one request after the other; returns how many payments were confirmed."""
    count, clock = 0, asyncio.get_running_loop().time
    while clock() < end_s:
        answers = await client.submit_many(next(requests))
        count += sum(isinstance(each, TransactionResult) and each.is_ok for each in answers)
    return count
