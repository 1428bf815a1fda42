"""What a node that joins answers CometBFT: snapshots that lie are refused, others are taken."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace
from tests.unit.engine.snapshots.test_snapshots import NETWORK, empty, made

from hansa.engine.cometbft.joining import JoiningApplication, Patience, Stage, watch_progress
from hansa.engine.cometbft.protocol import abci_pb2 as abci
from hansa.engine.snapshots.format import compute_sum
from hansa.engine.snapshots.restoring import Restorer
from hansa.engine.snapshots.shelf import Shelf
from hansa.engine.storage import FileStorage
from hansa.kernel.errors import Unavailable

__all__ = ["made"]

Offered, Applied = abci.ResponseOfferSnapshot, abci.ResponseApplySnapshotChunk


class Joining:
    """A node that joins, and what it was given to go on from."""

    def __init__(self, folder) -> None:
        self.followed = []
        self._runner = asyncio.Runner()
        restorer = Restorer(Shelf(FileStorage(folder / "snapshots")), NETWORK, empty(folder))
        self.application = JoiningApplication(
            restorer, lambda _: True, lambda *found: self.followed.append(found)
        )

    def run(self, call):
        return self._runner.run(call)

    def offer(self, manifest, **changes):
        fields = {
            "height": manifest.consensus_height,
            "format": manifest.version,
            "chunks": len(manifest.chunks),
            "hash": manifest.hash,
            "metadata": manifest.encoded(),
        }
        offered = abci.Snapshot(**{**fields, **changes})
        app_hash = NETWORK.digest(NETWORK.header_prefix + manifest.header)
        request = abci.RequestOfferSnapshot(snapshot=offered, app_hash=app_hash)
        return self.run(self.application.offer_snapshot(request)).result

    def apply(self, number, chunk):
        request = abci.RequestApplySnapshotChunk(index=number, chunk=chunk, sender="peer")
        return self.run(self.application.apply_snapshot_chunk(request))

    def take(self, manifest, chunks):
        assert self.offer(manifest) == Offered.ACCEPT
        for number, chunk in enumerate(chunks):
            assert self.apply(number, chunk).result == Applied.ACCEPT

    def close(self):
        self._runner.close()
        for log, store in self.followed:
            log.close()
            store.close()


@pytest.fixture
def joining(tmp_path):
    found = Joining(tmp_path)
    yield found
    found.close()


def test_a_snapshot_of_another_header_is_refused_and_the_trusted_one_taken(made, joining):
    other = replace(made.manifest, header=made.world.chain.get_record(20).header)
    assert joining.offer(made.manifest, metadata=other.encoded()) == Offered.REJECT
    assert "not the trusted one" in joining.application.refusal
    assert joining.offer(made.manifest, hash=b"x") == Offered.REJECT
    assert joining.application.stage is Stage.SEARCHING
    joining.take(made.manifest, made.chunks)
    assert joining.application.stage is Stage.FOLLOWING
    ((log, _),) = joining.followed
    assert log.height_max == made.manifest.height


def test_a_chunk_that_lies_is_asked_for_again_elsewhere(made, joining):
    assert joining.offer(made.manifest) == Offered.ACCEPT
    answer = joining.apply(0, b"lies")
    assert (answer.result, list(answer.refetch_chunks)) == (Applied.RETRY, [0])
    assert list(answer.reject_senders) == ["peer"]
    assert joining.apply(0, made.chunks[0]).result == Applied.ACCEPT


def test_a_snapshot_that_proves_something_else_is_given_up_for_another(made, joining):
    chunk = made.chunks[0][:-1] + bytes([made.chunks[0][-1] ^ 1])
    lying = replace(made.manifest, chunks=(compute_sum(chunk), *made.manifest.chunks[1:]))
    assert joining.offer(lying) == Offered.ACCEPT
    answers = [joining.apply(at, each) for at, each in enumerate([chunk, *made.chunks[1:]])]
    assert answers[-1].result == Applied.REJECT_SNAPSHOT
    assert list(answers[-1].reject_senders) == ["peer"]
    assert "refused" in joining.application.refusal
    assert joining.application.stage is Stage.SEARCHING
    joining.take(made.manifest, made.chunks)
    assert len(joining.followed) == 1


class Peers:
    """What CometBFT says of the nodes that it is connected to."""

    def __init__(self, count) -> None:
        self.count = count

    async def call(self, method):
        assert method == "net_info"
        if self.count is None:
            raise Unavailable("CometBFT does not answer")
        return {"n_peers": str(self.count)}


def wait_in_vain(joining, peers):
    told = []
    patience = Patience(search_s=0.05, take_s=0.05)
    with pytest.raises(Unavailable) as error:
        joining.run(watch_progress(joining.application, Peers(peers), told.append, patience))
    return error.value.message, told


def test_a_node_that_does_not_come_to_join_says_why(made, joining):
    for peers in (0, None):
        assert "nodes.publish" in wait_in_vain(joining, peers)[0]
    assert joining.offer(made.manifest, hash=b"x") == Offered.REJECT
    said, told = wait_in_vain(joining, 3)
    assert said.startswith("of 3 nodes that are connected none offers a snapshot")
    assert said.endswith("the last one was refused: its manifest is not the one that was offered")
    assert told == []
    assert joining.offer(made.manifest) == Offered.ACCEPT
    said, told = wait_in_vain(joining, 3)
    assert told == [f"took 0 of 1 chunks of the snapshot of block {made.manifest.height}"]
    assert said == f"{told[0]}, but the next one did not come"
    joining.apply(0, made.chunks[0])
    said, _ = wait_in_vain(joining, 3)
    assert said.endswith("proved, but no block came behind it")


def test_it_does_not_begin_at_genesis(joining):
    with pytest.raises(Unavailable, match="begins at genesis instead of a snapshot"):
        joining.run(joining.application.init_chain(abci.RequestInitChain()))
    assert not joining.run(
        joining.application.list_snapshots(abci.RequestListSnapshots())
    ).snapshots
