"""Decisions opened and decided again, and what is told where something was changed."""

from __future__ import annotations

import asyncio
from contextlib import closing

import pytest
from msgspec.structs import replace
from tests.deciding_desk import CHEAP, NORTH, RULES, Bank
from tests.world import key, pay

from hansa.contracts.risk.in_force import NO_MODEL
from hansa.engine.record_items import find_envelope
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Corrupt
from hansa.kernel.machine.state import Reader
from hansa.kernel.transaction import compute_tx_id, decode_envelope
from hansa.node.risk.audit.examining import Case, Ledger, examine
from hansa.node.risk.audit.repeating import repeat
from hansa.node.risk.audit.trying import try_rules
from hansa.node.risk.clerk.deciding import Deciding
from hansa.node.risk.clerk.journal import Journal
from hansa.node.risk.clerk.judging import Answering, hash_rows
from hansa.node.risk.loading import BasisFiles
from hansa.risk.catalogue import Feature, encode_features, hash_features
from hansa.risk.decisions.commitment import Executed, decode_record
from hansa.risk.intake.describing import CATALOGUE, FEATURES, FEATURES_HASH
from hansa.risk.packing import pack_row, unpack
from hansa.risk.rules.book import load_rules
from hansa.risk.verdicts import Verdict


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """One payment that is allowed and one that is released: their cases, and the ledger's words."""
    bank = Bank(tmp_path_factory.mktemp("risk"))
    bank.fund("ann", "shop")
    envelopes = [
        bank.sign("ann", pay("ann", "shop", amount, f"p{amount}")) for amount in (300, 700)
    ]
    ids = [compute_tx_id(bank.world.network, decode_envelope(each)[0].body) for each in envelopes]

    async def play():
        async with bank.running() as (node, desk):
            await node.desk.submit(envelopes[0])
            sent = node.desk.enqueue(envelopes[1])
            async with asyncio.timeout(60):
                while True:
                    if desk.list_open():
                        break
                    await asyncio.sleep(0.005)
            await desk.answer(ids[1], Answering.RELEASED, "officer 7")
            await sent
            await desk.tell(ids[1], is_fraud=True)
            return [await read_case(desk, each) for each in ids]

    cases = asyncio.run(play())
    return bank, list(zip(cases, [find_ledger(bank, each) for each in ids], strict=True))


async def read_case(desk, tx_id):
    kept = await desk.get_decision(tx_id)
    record = decode_record(kept.record)
    model = await desk.get_model_file(record.model)
    return Case(kept, await desk.find_answer(tx_id), await desk.find_basis(record.policy), model)


def find_ledger(bank, tx_id):
    chain = bank.world.chain
    height, index = chain.find_position(tx_id)
    envelope, sponsor, attestation = find_envelope(chain.get_record(height), index)
    time_ms = chain.get_header(height).time_ms
    executed = Executed(tx_id, sponsor, attestation, (height << 20) + index, time_ms)
    body = decode_envelope(envelope)[1]
    return Ledger(bank.world.network, Reader(chain.machine.state), executed, body)


def list_failing(case, ledger):
    return [each.claim for each in examine(case, ledger).claims if each.holds is False]


def test_what_was_allowed_and_what_was_released_is_sound(played):
    _, pairs = played
    for case, ledger in pairs:
        found = examine(case, ledger)
        assert found.is_sound
        assert {each.holds for each in found.claims} == {True}
    assert found.attested.reasons[0] == "answer.released"


def change_row(case):
    [payment] = case.kept.payments
    amount, *others = unpack(payment.row).tolist()
    row = pack_row([amount + 1, *others])
    return case._replace(kept=replace(case.kept, payments=(replace(payment, row=row),)))


def change_payment(**fields):
    def change(case):
        [payment] = case.kept.payments
        return case._replace(kept=replace(case.kept, payments=(replace(payment, **fields),)))

    return change


def change_record(**fields):
    def change(case):
        record = replace(decode_record(case.kept.record), **fields)
        return case._replace(kept=replace(case.kept, record=encode(record)))

    return change


def change_policy(case):
    files = BasisFiles(1, b"version = 2\n", b'name = "other"\n', b"", "lists.csv")
    return case._replace(policy=encode(files))


@pytest.mark.parametrize(
    ("change", "failing"),
    [
        (change_row, ["payments", "row"]),
        (change_payment(payee=bytes(32)), ["payments"]),
        (change_payment(amount_minor=1), ["payments"]),
        (change_payment(listed=(0, "allowed")), ["listed", "replay"]),
        (change_payment(listed=(2, "sanctions")), ["replay"]),  # of names, nothing is kept
        (change_payment(listed=(3, "sanctions")), ["listed", "replay"]),  # its policy blocks none
        (change_payment(payee=key("listed").address), ["payments", "listed"]),
        (lambda case: case._replace(kept=replace(case.kept, salt=bytes(32))), ["commitment"]),
        (change_record(reasons=("list.allowed",)), ["commitment", "replay"]),
        (change_record(model=NO_MODEL), ["commitment", "replay"]),
        (change_policy, ["basis"]),
        (lambda case: case._replace(model=case.model[:-1]), ["basis"]),
    ],
)
def test_whatever_was_changed_fails(played, change, failing):
    _, [(case, ledger), _] = played
    assert list_failing(change(case), ledger) == failing


def test_a_decision_on_the_features_of_another_release_is_decided_again(played):
    bank, [(case, ledger), _] = played
    others = (CATALOGUE[0], *CATALOGUE[:0:-1], Feature("gone", "count", "What no row has now."))
    [payment] = case.kept.payments
    amount, *rest = unpack(payment.row).tolist()
    moved = replace(payment, row=pack_row([amount, *rest[::-1], 7]))
    change = change_record(features=hash_features(others), row=hash_rows([moved]))
    older = change(case._replace(kept=replace(case.kept, payments=(moved,))))
    kept = older._replace(features=encode_features(others))
    assert list_failing(kept, ledger) == ["commitment"]
    told = {each.claim: each.holds for each in examine(kept, ledger).claims}
    assert (told["row"], told["features"], told["basis"], told["replay"]) == (True,) * 4
    lost = {each.claim: each for each in examine(older, ledger).claims}
    assert (lost["features"].holds, lost["replay"].holds) == (None, None)
    assert "another set of features" in lost["features"].words
    wrong = kept._replace(features=encode_features(others[1:]))
    assert list_failing(wrong, ledger) == ["commitment", "features"]
    with closing(bank.open_desk()) as desk:
        journal = desk._clerk.clerk.journal  # noqa: SLF001 - what the desk keeps
        assert journal.find_basis(FEATURES_HASH) == encode_features(CATALOGUE)


def test_an_answer_that_rests_on_another_decision_fails(played):
    _, [_, (case, ledger)] = played
    record = replace(decode_record(case.kept.record), reasons=("rule.other",))
    assert "answer" in list_failing(
        case._replace(kept=replace(case.kept, record=encode(record))), ledger
    )


def test_how_many_payments_were_left_out_is_told(played):
    _, [(case, ledger), _] = played
    body = replace(ledger.body, calls=2 * ledger.body.calls)
    told = {each.claim: each for each in examine(case, ledger._replace(body=body)).claims}
    assert told["payments"].holds
    assert told["payments"].words.startswith("1 more")


def test_an_answer_that_nobody_may_give_fails(played):
    _, [_, (case, ledger)] = played
    record = replace(decode_record(case.kept.record), verdict=Verdict.BLOCK)
    forged = case._replace(kept=replace(case.kept, record=encode(record)))
    assert list_failing(forged, ledger) == ["answer", "replay"]
    confirmed = case._replace(answer=replace(case.answer, answer="confirmed"))
    told = {each.claim: each.words for each in examine(confirmed, ledger).claims}
    assert told["answer"] == "after review nobody may answer confirmed"


def test_what_is_lost_is_told_and_fails_nothing(played):
    _, [(case, ledger), _] = played
    found = examine(case._replace(model=None), ledger)
    told = {each.claim: each.holds for each in found.claims}
    assert found.is_sound
    assert (told["basis"], told["replay"], told["commitment"]) == (None, None, True)
    nowhere = examine(case, ledger._replace(executed=None))
    assert (nowhere.claims[0].claim, nowhere.claims[0].holds) == ("attested", None)
    assert nowhere.claims[-1].holds
    unattested = replace_executed(ledger, attestation=None)
    assert list_failing(case, unattested) == ["attested"]


def replace_executed(ledger, **fields):
    executed = ledger.executed
    names = ("tx_id", "sponsor", "attestation", "position", "time_ms", "is_model_needed")
    values = {name: getattr(executed, name) for name in names}
    return ledger._replace(executed=Executed(**{**values, **fields}))


def test_every_kept_row_comes_out_again_and_a_changed_one_is_found(played):
    bank, [(case, _), _] = played
    with closing(bank.open_desk()) as desk:
        journal = desk._clerk.clerk.journal  # noqa: SLF001 - what the desk keeps
        found = repeat(journal)
        assert (found.events, found.payments, found.compared) == (4, 2, 2)
        assert (found.is_identical, found.is_remembered_same) == (True, True)
        rules = load_rules(RULES, "rules.toml", FEATURES)
        tried = try_rules(journal, rules)
        assert (tried.payments, tried.frauds, tried.caught, tried.alerts) == (2, 1, 1, 1)
        assert [each.fired for each in tried.rules] == [1, 0]
        with journal._file.at_once() as connection:  # noqa: SLF001
            connection.execute("DELETE FROM decisions WHERE first = 2")
        with pytest.raises(Corrupt, match="decisions 2 to 2 are missing"):
            repeat(journal)
        assert journal.find_decision(find_id(case.kept)) == case.kept
        name = journal._file.hash_name(find_id(case.kept))  # noqa: SLF001
        journal._places.add(3, [name])  # noqa: SLF001
        with pytest.raises(Corrupt, match="is not where its name is"):
            journal.find_decision(find_id(case.kept))


def find_id(kept):
    return decode_record(kept.record).tx_id


def test_a_journal_keeps_the_local_time_with_which_it_began(tmp_path):
    with closing(Journal.open(tmp_path / "decisions.db", "secret", cost=CHEAP)) as journal:
        for zone_offset_ms in (28_800_000, 0):
            deciding = Deciding(None, NORTH, journal, bytes, 1, zone_offset_ms=zone_offset_ms)
            assert deciding.memory.open().zone_offset_ms == 28_800_000
