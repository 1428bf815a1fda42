"""A node that is set to reconcile: what it opens at its start, what it does, what it refuses."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
from tests.played import CHEAP, PASSPHRASE, open_folder
from tests.streamed import RULES, enter
from tests.world import key

from hansa.contracts.reconciliation import agreements
from hansa.contracts.reconciliation.windows import Window
from hansa.kernel.errors import Invalid, InvalidCode, NotFound
from hansa.node.home import Home, backup_home, open_chain_read_only, restore_home
from hansa.node.reconcile.opening import load_signing_key, open_journals
from hansa.node.reconcile.service import TERMS
from hansa.node.reconcile.store import JournalFile
from hansa.node.running import run_node
from hansa.node.settings import load_settings
from hansa.reconcile.stream.entries import Tagger
from hansa.reconcile.stream.terms import Place, Terms, open_terms, write_terms
from hansa.sdk.async_client import AsyncClient
from hansa.sdk.keys import ChannelKey, save_channel_key, save_key

SETTINGS = """
[listen]
port = 0

[work]
verifiers = 1

[reconciliation]
key = "keys/reconciliation.json"
"""


@pytest.fixture
def home(tmp_path):
    """A folder of north's node, with an agreement in force and an entry that is not posted."""
    home = Home(tmp_path / "north")
    with open_folder(home.path) as world:
        digest = world.network.digest
        banks = key("north").address, key("south").address
        terms = Terms(1, *banks, 30, RULES.encode(), b"", ("MOP",), bytes(32))
        raw = write_terms(terms, digest)
        pair = open_terms(raw, digest)
        assert world.do("north", pair.propose(banks[0])) == ""
        assert world.do("south", agreements.Accept(pair.agreement, banks[1])) == ""
    home.settings_path.write_text(SETTINGS)
    save_key(home.key_path("reconciliation"), key("north"), PASSPHRASE, cost=CHEAP)
    save_channel_key(home.key_path("channel"), ChannelKey.generate(), PASSPHRASE, cost=CHEAP)
    file = JournalFile.open(home.journals_path, PASSPHRASE, cost=CHEAP)
    journal = file.open_journal(pair.agreement)
    journal.put(TERMS, raw)
    journal.add([Tagger(pair, Place.LEFT).tag(enter(100, "A"), 0)])
    file.close()
    return home


def test_a_node_posts_what_its_journals_hold(home):
    tasks = []

    async def stop_once_it_is_posted(started):
        try:
            async with AsyncClient(started.url) as client:
                async for block in client.stream_blocks(started.height + 1):
                    if block.tx_count:  # an empty one may come first, as a checkpoint
                        break
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    run_node(
        home.path,
        lambda: PASSPHRASE,
        lambda started: tasks.append(asyncio.create_task(stop_once_it_is_posted(started))),
    )
    assert tasks[0].result() is None
    chain = open_chain_read_only(home)
    file = JournalFile.open(home.journals_path, PASSPHRASE)
    [agreement] = file.list_agreements()
    row = chain.machine.state.load(Window, Window.key(agreement, 0))
    chain.close()
    assert (row.left.entries, row.right.entries) == (1, 0)
    file.close()


def test_what_a_node_needs_to_reconcile_is_asked_for_at_its_start(home):
    settings, channel_key = load_settings(home.settings_path), ChannelKey.generate()
    named = r"reconciliation\.key of .*node\.toml"
    with pytest.raises(Invalid, match=rf"{named} is set, but the node has no channel key"):
        load_signing_key(settings, None, PASSPHRASE)
    with pytest.raises(Invalid, match=rf"wrong passphrase.*{named} names it") as caught:
        load_signing_key(settings, channel_key, "another")
    assert caught.value.code is InvalidCode.UNAUTHENTICATED
    north, signing = key("north").address, load_signing_key(settings, channel_key, PASSPHRASE)
    with open_folder(home.path) as world:
        for wrong in (key("south"), key("north server")):
            with pytest.raises(Invalid, match=rf"{named} names, may state nothing .* ASSERT"):
                open_journals(home, settings, world.chain, (north, wrong), PASSPHRASE)
        with pytest.raises(Invalid, match=r"journals\.db: wrong passphrase"):
            open_journals(home, settings, world.chain, (north, signing), "another")
        stranger = key("admitted by a later block")
        for signer in ((north, signing), (stranger.address, stranger)):
            open_journals(home, settings, world.chain, signer, PASSPHRASE).close()
    home.key_path("reconciliation").unlink()
    with pytest.raises(NotFound, match=f"{named} names it"):
        load_signing_key(settings, channel_key, PASSPHRASE)


def test_journals_are_backed_up_while_the_node_writes_them(home, tmp_path):
    file = JournalFile.open(home.journals_path, PASSPHRASE)
    [agreement] = file.list_agreements()
    journal = file.open_journal(agreement)
    journal.put("shown", b"in the write-ahead log")
    report = backup_home(home, tmp_path / "archive")
    journal.put("shown", b"later")
    file.close()
    assert [name for name in report.manifest.files if "journals" in name] == ["journals.db"]
    restore_home(report.folder, tmp_path / "restored")
    restored = Home(tmp_path / "restored")
    assert restored.journals_path.stat().st_mode & 0o777 == 0o600
    again = JournalFile.open(restored.journals_path, PASSPHRASE)
    kept = again.open_journal(agreement)
    assert (kept.get("shown"), kept.count(0)) == (b"in the write-ahead log", 1)
    again.close()
