"""What a node keeps for CometBFT where nobody sends anything any more."""

from tests.asked import NOW_MS, fund, in_a_chain
from tests.world import World

from hansa.engine.cometbft.application import Application
from hansa.engine.cometbft.batches import Verdicts
from hansa.engine.cometbft.protocol import abci_pb2 as abci
from hansa.engine.cometbft.repeating import Standing
from hansa.engine.log import BlockReader
from hansa.engine.snapshots.keeping import Keeper, Retention
from hansa.engine.snapshots.shelf import Shelf
from hansa.engine.storage import FileStorage
from hansa.engine.verification import InlineVerifier


@in_a_chain
async def test_a_network_that_is_quiet_behind_a_snapshot_keeps_no_old_block_for_it(asked):
    """The newest snapshot counts once the store is on disk, for which no further block comes."""
    chain, folder = asked.chain, asked.folder
    keeper = Keeper(
        chain,
        Shelf(FileStorage(folder / "snapshots")),
        lambda: BlockReader.open(FileStorage(folder / "log", read_only=True)),
        Retention(snapshot_every=1, snapshots=1, blocks=1, consensus_blocks=3),
        0,
    )
    asked.server.application = Application(
        chain,
        Verdicts(InlineVerifier(chain.network)),
        bool,
        lambda executed: None if executed.result is None else keeper.note(executed.result),
        lambda: NOW_MS,
        keeper,
        standing=Standing(chain, folder / "standing.bin", every=3),
    )
    await asked.block(2, fund(World(chain)))
    keeper.finish()
    assert [each.height for each in keeper.snapshots] == [1]
    for height in range(3, 12):
        await asked.block(height)
    assert chain.store.height == 1
    await asked.ask(finalize_block=abci.RequestFinalizeBlock(height=12))
    answer = await asked.ask(commit=abci.RequestCommit())
    assert answer.retain_height == 11 - 3
    keeper.close()
