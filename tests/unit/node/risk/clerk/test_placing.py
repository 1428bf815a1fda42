"""A clerk in a process of its own: killed, restarted, told of wrong things."""

from __future__ import annotations

import asyncio
import errno
import multiprocessing
import os
import signal

import pytest
from tests.deciding_desk import CHEAP, NORTH, POLICY, Bank
from tests.world import key, pay

from hansa.contracts.risk.in_force import Basis
from hansa.kernel.errors import Invalid, InvalidCode, Unavailable
from hansa.kernel.transaction import compute_tx_id, decode_envelope
from hansa.node.risk.clerk.clerk import Clerk, When
from hansa.node.risk.clerk.journal import Journal
from hansa.node.risk.clerk.placing import Apart, Opening
from hansa.node.risk.clerk.taking import Undecided
from hansa.node.risk.loading import RiskFolder
from hansa.node.risk.reading import Intended
from hansa.risk.decisions.commitment import decode_record
from hansa.risk.verdicts import Verdict

SECRET = "secret"
STRICT = POLICY.replace(b"1_000", b"2")


@pytest.fixture
def bank(tmp_path):
    Journal.open(tmp_path / "decisions.db", SECRET, cost=CHEAP).close()
    bank = Bank(tmp_path)
    bank.fund("ann", "shop")
    return bank


def open_apart(bank, passphrase=SECRET, faults=()):
    """Open one; each fault is raised once where another process is started."""

    def start_ms():
        if faults:
            raise faults.pop()
        return bank.now_ms()

    genesis = bank.world.network.genesis.encoded()
    opening = Opening(bank.path, bank.path / "decisions.db", passphrase, genesis, NORTH, 0)
    return Apart(opening, RiskFolder(bank.path).loaded.sources, start_ms)


def make_undecided(bank, amount_minor, note):
    envelope = bank.sign("ann", pay("ann", "shop", amount_minor, note))
    body = decode_envelope(envelope)[0].body
    tx_id = compute_tx_id(bank.world.network, body)
    intended = Intended(key("ann").address, key("shop").address, "CRD", amount_minor)
    return Undecided(tx_id, envelope, bank.now_ms() + 600_000, "", (intended,))


def test_what_a_clerk_decided_outlives_its_process_and_another_goes_on(bank):
    bases = (Basis(bank.models["champion"], bank.policy_hash),)
    allowed, held, later = (
        make_undecided(bank, amount_minor, str(amount_minor)) for amount_minor in (5, 700, 6)
    )

    async def play(apart):
        when = When(bank.now_ms(), bank.now_ms(), bases)
        done = await apart.ask(Clerk.decide, [allowed, held], when)
        assert [each.held is None for each in done.decided] == [True, False]
        (bank.path / "policy.toml").write_bytes(STRICT)
        await apart.put(RiskFolder(bank.path).loaded.sources)
        (bank.path / "policy.toml").write_bytes(b"half of a policy, which nobody put to use")

        pid = find_pid()
        os.kill(pid, signal.SIGTERM)  # as a supervisor sends it to all: whoever started it ends it
        assert (await apart.ask(Clerk.decide, [allowed], when)).events == 2
        os.kill(pid, signal.SIGSTOP)
        waiting = asyncio.create_task(apart.ask(Clerk.decide, [later], when))
        await asyncio.sleep(0)
        os.kill(pid, signal.SIGKILL)
        faults.append(OSError(errno.EMFILE, "Too many open files"))
        with pytest.raises(Unavailable, match="ended"):
            await waiting
        with pytest.raises(Unavailable, match="ended"):  # no other could be started
            await apart.ask(Clerk.count_events)

        again = await apart.ask(Clerk.decide, [allowed, held, later], when)
        assert [each.attestation for each in again.decided[:2]] == [
            each.attestation for each in done.decided
        ]
        assert again.decided[1].held.tx_id == held.tx_id
        assert again.events == 3
        assert find_pid() != pid
        kept = await apart.ask(Clerk.read, Journal.find_decision, later.tx_id)
        return decode_record(kept.record)

    faults = []
    apart = open_apart(bank, faults=faults)
    record = asyncio.run(play(apart))
    apart.close()
    # The bases in force are of the policy before, so its amount decided, by the new one.
    assert (record.verdict, record.reasons[0]) == (Verdict.REVIEW, "not_scored")
    with pytest.raises(Unavailable, match="stopping"):
        asyncio.run(apart.ask(Clerk.count_events))
    journal = Journal.open(bank.path / "decisions.db", SECRET)
    assert journal.event_count == journal.load_remembered()[1] == 3
    journal.close()


def test_a_clerk_that_cannot_be_opened_says_why(bank):
    with pytest.raises(Invalid, match=r"decisions\.db") as caught:
        open_apart(bank, "guessed")
    assert caught.value.code is InvalidCode.UNAUTHENTICATED


def find_pid():
    (process,) = multiprocessing.active_children()
    return process.pid
