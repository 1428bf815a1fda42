"""Votes of a real CometBFT, whose validators change, as a node fetches, keeps and shows them."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from contextlib import asynccontextmanager

import pytest
from tests.integration.test_cometbft_engine import fund, pay_round, reach, running, send
from tests.ports import find_ports
from tests.vectors import independent_receipt
from tests.voted import make_network, open_signer
from tests.world import key

from hansa.contracts.nodes import Publish
from hansa.engine.cometbft.child.binary import find_binary
from hansa.engine.cometbft.child.process import CometProcess
from hansa.engine.cometbft.configuration import (
    Configuration,
    Validator,
    write_configuration,
    write_genesis,
)
from hansa.engine.cometbft.home import CometHome, CometKey
from hansa.engine.cometbft.trail import TrailKeeper, read_votes
from hansa.engine.record_items import list_envelopes
from hansa.kernel.errors import Unavailable
from hansa.kernel.light.header import Moment
from hansa.kernel.light.trail import Checkpoint, verify_header
from hansa.kernel.light.validators import ValidatorSet
from hansa.kernel.light.votes import check_votes
from hansa.kernel.receipt_file import build_receipt_file, verify_receipt_file
from hansa.node.network.renewal import prove_keys

pytestmark = pytest.mark.integration

TIME_MS = 1_764_000_000_000
GENESIS_HASH = bytes(range(32))
WITHIN_S = 120


class SocketRpc:
    """CometBFT's JSON-RPC, one connection a question."""

    def __init__(self, home: CometHome) -> None:
        self._path = home.rpc_path

    async def call(self, method, **params):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        head = f"POST / HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        try:
            reader, writer = await asyncio.open_unix_connection(self._path)
            writer.write(f"{head}\r\n\r\n{body}".encode())
            raw = await reader.read()
            writer.close()
        except OSError as error:
            raise Unavailable(str(error)) from None
        answer = json.loads(raw.partition(b"\r\n\r\n")[2])
        if "error" in answer:
            raise Unavailable(str(answer["error"]))
        return answer["result"]

    async def send(self, text: str) -> int:
        """Have a transaction in a block; returns its height."""
        tx = b64encode(text.encode()).decode()
        return int((await self.call("broadcast_tx_commit", tx=tx))["height"])


def make_home(folder, key):
    home = CometHome(folder / "cometbft")
    home.create_keys(CometKey.generate(), key)
    chain_id = "hansa-" + GENESIS_HASH.hex()[:40]
    write_genesis(home, chain_id, TIME_MS, [Validator(key.public_key, 10)], 1_000_000)
    (port,) = find_ports()
    configuration = Configuration(listen=f"127.0.0.1:{port}", peers=())
    write_configuration(home, configuration, "votes", 1_000_000, application="kvstore")
    return home


@asynccontextmanager
async def run(home):
    process = await CometProcess.start(find_binary(), home)
    try:
        rpc = SocketRpc(home)
        async with asyncio.timeout(WITHIN_S):
            while True:
                try:
                    await rpc.send("begun=yes")
                except Unavailable:
                    await asyncio.sleep(0.1)
                else:
                    break
        yield rpc
    finally:
        await process.stop()


def change(key: bytes, power: int) -> str:
    return f"val=ed25519!{b64encode(key).decode()}!{power}"


async def live(home, start, key, other):
    """Change the validators twice, keep votes, stop; start again and go on."""
    async with run(home) as rpc:
        keeper = TrailKeeper(home.path, start, rpc)
        first = await keeper.fetch_votes(1)
        last = 0
        for text in (change(key.public_key, 25), change(other.public_key, 5), "a=b", "c=d"):
            last = await rpc.send(text)
        votes = [first, await keeper.fetch_votes(last), await keeper.fetch_votes(last + 1)]
        keeper.save()
    async with run(home) as rpc:
        last = await rpc.send(change(other.public_key, 0))
        keeper = TrailKeeper(home.path, start, rpc)
        last = await rpc.send("e=f")
        last = await rpc.send("g=h")
        return [*votes, await keeper.fetch_votes(last + 1), await keeper.fetch_votes(1)]


def test_a_real_chain_is_followed_while_its_validators_change(cometbft, tmp_path):
    key, other = CometKey.generate(), CometKey.generate()
    validators = ValidatorSet.of([(key.public_key, 10)])
    start = Checkpoint(GENESIS_HASH, 1, Moment.of_ms(TIME_MS), validators)
    home = make_home(tmp_path, key)
    found = asyncio.run(live(home, start, key, other))
    trails = [verify_header(start, each.hand_overs, each.signed_header) for each in found]
    assert [trail.hand_overs for trail in trails] == [0, 1, 1, 1, 0]  # leaps
    powers = [trail.tally.power for trail in trails]
    assert powers == [10, 30, 30, 25, 10]
    assert trails[3].end.height > trails[2].end.height
    kept = read_votes(home.path)
    assert verify_header(start, kept.hand_overs, kept.signed_header).hand_overs == 1


async def pay_and_fetch(nodes):
    """Fund people, change a validator's key, and fetch each block's votes from another node."""
    async with running(nodes) as engines:
        world = open_signer(engines[0].chain)
        for raw in fund(world, 3):
            assert set(await send(engines[0], raw)) == {""}
        genesis = engines[0].chain.network.genesis
        node = genesis.nodes[3]
        new_key = CometKey.generate()
        fields = (new_key.public_key, node.peers, node.channel_key, node.url)
        proofs = prove_keys(engines[0].chain.network, node.member, new_key)
        publish = Publish(node.member, *fields, proofs)
        batch = world.batch(world.sign([key("department0")], publish), sponsor="department0")
        assert set(await send(engines[0], batch)) == {""}
        for number in range(3):
            assert set(await pay_round(engines[0], world, number, 3)) == {""}
        height = engines[0].chain.confirmed_height
        files = []
        for at in range(height + 1):
            engine = engines[at % len(engines)]
            await reach(engine, height)
            votes = await engine.fetch_votes(at)
            record = engine.chain.get_record(at)
            files += [
                build_receipt_file(
                    engine.chain.network, record, list_envelopes(record), index, votes
                )
                for index in range(len(record.receipts))
            ]
            check_votes(engine.chain.network, record.header, votes)
        for engine in engines:
            await engine.fetch_votes(height)  # waits until each has the header that names it
        record = engines[0].chain.get_record(height)
    return files, record


def test_receipts_of_four_validators_verify_from_genesis_and_folders_keep_votes(cometbft, tmp_path):
    nodes = make_network(tmp_path)
    files, newest = asyncio.run(pay_and_fetch(nodes))
    network = nodes[0].network
    found = [verify_receipt_file(raw, network.genesis_hash) for raw in files]
    assert {each.receipt.status for each in found} == {0}
    assert found[0].trail.hand_overs == 0
    assert found[-1].trail.hand_overs == 1
    assert found[-1].trail.tally.power_signed == 30  # of 40: nobody holds the new key
    assert {each.trail.tally.validators for each in found} == {4}
    assert all(independent_receipt.verify(raw, network.genesis_hash) for raw in files)
    for node in nodes:
        check_votes(network, newest.header, read_votes(node.home.path))
