"""An operator that lifts wallets by what it is shown: once, whatever dies meanwhile."""

import asyncio

import pytest
from tests.unit.identity.verifier.playing import ISSUER
from tests.unit.identity.verifier.playing import World as Registry
from tests.unit.node.identity.operator.playing import ANN, BEN, DAY_MS, OPERATOR, Bank

from hansa.contracts import wallets
from hansa.contracts.identity import tiers
from hansa.contracts.identity.tiers import Lift
from hansa.contracts.wallets import Category
from hansa.identity.faults import Unsound
from hansa.identity.tiers import END_GRID_MS, Recorded, check_presentation
from hansa.identity.verifier.registry import INVALID, SUSPENDED
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Invalid, NotFound, Refused, Unavailable
from hansa.node.identity.operator.asking import check_wallet
from hansa.node.identity.operator.cases import State
from hansa.node.identity.operator.delivery import TierDelivery
from hansa.node.identity.operator.running import working
from hansa.sdk import answers


@pytest.fixture
def bank(tmp_path):
    return Bank(tmp_path)


def state_of(bank, asking):
    return bank.cases.get(asking.session_id).state


def lift(bank, **how):
    asking = bank.ask_for(**how)
    bank.show(asking)
    assert bank.deliver() is None
    assert state_of(bank, asking) is State.LIFTED
    return asking


def test_what_is_shown_lifts_the_wallet_and_is_kept_for_an_auditor(bank):
    asking = bank.ask_for()
    assert state_of(bank, asking) is State.ASKED
    request = bank.fetch(asking)
    assert request["transaction_data"], "the holder is told which wallet is lifted"
    shown = bank.show(asking)
    assert bank.woken == 1
    assert state_of(bank, asking) is State.WANTED
    assert bank.deliver() is None
    assert bank.ledger.find_category(ANN) is Category.III
    case = bank.cases.get(asking.session_id)
    assert (case.state, case.presentation) == (State.LIFTED, shown)
    row = bank.ledger.contracts.get(Lift, ANN)
    recorded = Recorded(*(getattr(row, name) for name in Recorded._fields))
    network = bank.ledger.network
    assert check_presentation(shown, recorded, network.genesis_hash, network.digest) == []
    assert shown.encode() not in b"".join(each.read_bytes() for each in bank.path.iterdir())


def test_a_second_wallet_of_the_same_person_is_refused_in_words(bank):
    lift(bank)
    asking = bank.ask_for(BEN)
    bank.show(asking)
    assert bank.deliver() is None
    case = bank.cases.get(asking.session_id)
    assert case.state is State.REFUSED
    assert "tiers.NULLIFIER_USED" in case.why
    assert bank.ledger.find_category(BEN) is Category.IV
    other = bank.ask_for(BEN)
    bank.show(other, person="tan")
    bank.deliver()
    assert bank.ledger.find_category(BEN) is Category.III


def test_what_is_not_accepted_lifts_nothing(bank):
    asking = bank.ask_for()
    bank.registry.status = INVALID
    bank.show(asking)
    assert not bank.report(asking).is_accepted
    bank.deliver()
    assert state_of(bank, asking) is State.ASKED
    assert bank.ledger.find_category(ANN) is Category.IV


def test_a_credential_that_ends_within_the_day_is_refused_and_another_may_be_shown(bank):
    asking = bank.ask_for()
    with pytest.raises(Unsound, match="ends too soon"):
        bank.show(asking, expires_s=bank.now_ms // 1_000 + 60)
    bank.show(asking)
    bank.deliver()
    assert state_of(bank, asking) is State.LIFTED


def test_an_answer_is_noted_once_though_it_is_told_twice(bank):
    """As after a crash between the note and the wallet's answer."""
    asking = bank.ask_for()
    bank.show(asking)
    before = bank.cases.get(asking.session_id)
    with pytest.raises(NotFound):
        bank.show(asking)
    assert bank.cases.get(asking.session_id) == before


@pytest.mark.parametrize("fault", ["away", "deaf"])
def test_killed_between_acceptance_submission_and_note_nothing_is_lost_and_nothing_done_twice(
    bank, fault
):
    asking = bank.ask_for()
    bank.show(asking)
    bank.kill()
    assert state_of(bank, asking) is State.WANTED
    setattr(bank.ledger, fault, True)
    assert isinstance(bank.deliver(), Unavailable)
    bank.kill()
    setattr(bank.ledger, fault, False)
    assert bank.deliver() is None
    assert bank.ledger.count(tiers.Raised) == 1
    assert state_of(bank, asking) is State.LIFTED
    bank.registry.status = INVALID
    bank.watch()
    bank.kill()
    setattr(bank.ledger, fault, True)
    assert isinstance(bank.deliver(), Unavailable)
    bank.kill()
    setattr(bank.ledger, fault, False)
    assert bank.deliver() is None
    assert bank.ledger.count(tiers.Lowered) == 1
    assert state_of(bank, asking) is State.ENDED


def test_what_was_confirmed_while_nobody_listened_is_found_when_it_is_too_old(bank):
    asking = bank.ask_for()
    bank.show(asking)
    bank.ledger.deaf = True
    bank.deliver()
    bank.ledger.deaf, bank.ledger.expired = False, True
    assert bank.deliver() is None
    assert state_of(bank, asking) is State.LIFTED
    assert bank.ledger.count(tiers.Raised) == 1


def test_what_became_too_old_is_signed_anew_until_its_own_time_is_over(bank):
    asking, late = bank.ask_for(), bank.ask_for(BEN)
    bank.show(asking)
    bank.ledger.expired = True
    assert bank.deliver() is None
    bank.ledger.expired = False
    bank.deliver()
    assert state_of(bank, asking) is State.LIFTED
    bank.show(late, person="tan")
    bank.pass_time(2 * 3_600_000)
    bank.deliver()
    case = bank.cases.get(late.session_id)
    assert (case.state, case.why) == (
        State.REFUSED,
        "it could not be brought to the ledger in time: ask anew",
    )


@pytest.mark.parametrize(
    ("status", "reason"), [(INVALID, tiers.Reason.REVOKED), (SUSPENDED, tiers.Reason.SUSPENDED)]
)
def test_a_credential_that_is_taken_back_lowers_the_wallet(bank, status, reason):
    asking = lift(bank)
    assert bank.watch() is None
    assert state_of(bank, asking) is State.LIFTED
    bank.registry.status = status
    bank.watch()
    assert bank.deliver() is None
    assert bank.ledger.find_category(ANN) is Category.IV
    assert bank.cases.get(asking.session_id).why == f"lowered: {reason}"


@pytest.mark.parametrize("error", [Unavailable("no answer"), Unsound("status", "damaged")])
def test_a_list_that_cannot_be_read_lowers_nothing_and_is_told(bank, error):
    asking = lift(bank)
    bank.registry.status = error
    assert bank.watch() is error
    case = bank.cases.get(asking.session_id)
    assert (case.state, case.why) == (State.LIFTED, error.message)
    bank.registry.status = 0
    assert bank.watch() is None
    assert bank.cases.get(asking.session_id).why == ""


def test_a_renewed_lift_takes_the_place_of_the_old_one(bank):
    old = lift(bank)
    bank.pass_time(100 * DAY_MS)
    new = lift(bank)
    assert state_of(bank, old) is State.ENDED
    bank.registry.status = INVALID
    bank.watch()
    bank.deliver()
    assert state_of(bank, new) is State.ENDED
    assert bank.ledger.count(tiers.Lowered) == 1
    assert bank.ledger.find_category(ANN) is Category.IV


def test_a_lift_whose_time_is_over_is_watched_no_more(bank):
    asking = lift(bank)
    bank.pass_time(200 * DAY_MS)
    bank.registry.asked.clear()
    bank.watch()
    assert state_of(bank, asking) is State.ENDED
    assert bank.registry.asked == []


def test_what_ended_otherwise_is_over(bank):
    asking = lift(bank)
    bank.ledger.do(wallets.Close(ANN), signer="ann")
    bank.registry.status = INVALID
    bank.watch()
    assert bank.deliver() is None
    assert state_of(bank, asking) is State.ENDED


def test_a_suspended_operator_lowers_nothing_and_tries_again(bank):
    from hansa.contracts import members  # noqa: PLC0415 - only here

    asking = lift(bank)
    bank.registry.status = INVALID
    bank.watch()
    bank.ledger.contracts.do(members.suspend, OPERATOR)
    trouble = bank.deliver()
    assert isinstance(trouble, Refused)
    assert "NOT_AUTHORIZED" in trouble.message
    assert bank.cases.get(asking.session_id).why == trouble.message
    bank.ledger.contracts.do(members.reinstate, OPERATOR)
    assert bank.deliver() is None
    assert state_of(bank, asking) is State.ENDED


def test_requests_that_nobody_answered_are_forgotten(bank):
    asking = bank.ask_for()
    kept = lift(bank, wallet=BEN)
    bank.cases.sweep(bank.now_ms + DAY_MS)
    assert [each.session_id for each in bank.cases.list_all()] == [kept.session_id]
    assert bank.cases.find(asking.session_id) is None


def test_other_questions_of_the_same_verifier_lift_nothing(bank):
    asking = bank.folder.verifier.ask("adult", bank.now_ms)
    assert bank.cases.find(asking.session_id) is None
    with pytest.raises(NotFound, match="no rule for category I"):
        Bank.ask_for(Narrow(bank), ANN, Category.I)


class Narrow:
    """The same bank without a rule for merchants."""

    def __init__(self, bank):
        rules = bank.path / "tiers.toml"
        rules.write_text(rules.read_text().partition('[[rules]]\ncategory = "I"\n')[0])
        bank.kill()
        self.folder, self.ledger, self.now_ms = bank.folder, bank.ledger, bank.now_ms


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"operator": to_text(ANN)}, "its own operator lifts it"),
        ({"is_closed": True}, "is closed"),
        ({"given_category": "II"}, "has category II without a credential"),
        ({"category": "I"}, "is lifted to category I, which is better"),
        ({}, ""),
    ],
)
def test_a_wallet_that_cannot_be_lifted_is_told_before_anybody_is_asked(changes, words):
    fields = {
        "wallet": to_text(ANN),
        "operator": to_text(OPERATOR),
        "category": "IV",
        "given_category": "IV",
        "lift": None,
        "opened_ms": 0,
        "is_closed": False,
        "is_frozen": False,
        "orders_of": [],
        "balances": [],
    }
    wallet = answers.Wallet(**fields | changes)
    if not words:
        check_wallet(wallet, Category.II, to_text(OPERATOR))
        return
    with pytest.raises(Invalid, match=words):
        check_wallet(wallet, Category.II, to_text(OPERATOR))


def test_a_credential_that_ends_soon_lifts_for_most_of_what_is_left(bank):
    """Also just before a whole number of four weeks is full, by which ends are rounded."""
    bank.pass_time(END_GRID_MS - bank.now_ms % END_GRID_MS - 1)
    asking = bank.ask_for()
    bank.show(asking, expires_s=bank.now_ms // 1_000 + 20 * 86_400)
    bank.pass_time(5_000)
    assert bank.deliver() is None
    assert bank.cases.get(asking.session_id).why == ""
    bank.pass_time(10 * DAY_MS)
    assert bank.ledger.find_category(ANN) is Category.III


class SlowRegistry(Registry):
    """Has a status list that does not come until it is let go."""

    def __init__(self):
        super().__init__()
        self.asked_for, self.let_go = asyncio.Event(), asyncio.Event()

    async def get_status(self, issuer, reference):
        self.asked_for.set()
        await self.let_go.wait()
        return await super().get_status(issuer, reference)


def test_a_status_list_that_does_not_come_delays_no_lift(bank):
    """What was shown is good for minutes only, and a dead list takes seconds for each wallet."""
    lift(bank)
    later = bank.ask_for(BEN)
    bank.show(later, person="tan")
    bank.ledger.away = True
    registry = SlowRegistry()
    delivery = TierDelivery(
        bank.cases, bank.folder.settings, bank.ledger, registry, lambda: bank.now_ms
    )

    async def play():
        woken, told = asyncio.Event(), asyncio.Event()
        async with working(bank.folder, delivery, woken, lambda _: told.set()), asyncio.timeout(30):
            await registry.asked_for.wait()
            await told.wait()
            bank.ledger.away = False
            bank.ledger.heard = asyncio.Event()
            woken.set()
            await bank.ledger.heard.wait()

    asyncio.run(play())
    assert bank.ledger.find_category(BEN) is Category.III


def test_a_list_that_cannot_be_had_is_asked_for_once_a_round(bank):
    lift(bank)
    other = bank.ask_for(BEN)
    bank.show(other, person="tan")
    bank.deliver()
    error = Unavailable("no answer within 10 s")
    bank.registry.status = error
    bank.registry.asked.clear()
    assert bank.watch() is error
    assert len(bank.registry.asked) == 1
    assert [bank.cases.find(name).why for name in bank.cases.list_lifting()] == [error.message] * 2


def test_a_status_that_says_nothing_is_told(bank):
    asking = lift(bank)
    bank.registry.status = 3
    assert isinstance(bank.watch(), Unsound)
    case = bank.cases.get(asking.session_id)
    assert case.state is State.LIFTED
    assert "status 3" in case.why


def test_what_lifts_a_wallet_is_found_by_it_until_it_ends(bank):
    asking = lift(bank)
    assert bank.cases.find_lifting(to_text(ANN)) == bank.cases.get(asking.session_id)
    assert bank.cases.list_lifting() == [asking.session_id]
    assert bank.cases.list_open() == [], "what only lifts is not read at every step"
    bank.registry.status = INVALID
    bank.watch()
    assert bank.cases.find_lifting(to_text(ANN)) is None
    assert [each.session_id for each in bank.cases.list_open()] == [asking.session_id]
    bank.deliver()
    assert bank.cases.list_open() == []
    assert bank.cases.list_lifting() == []


def test_another_service_of_the_folder_takes_no_answer_that_it_would_lose(bank):
    """As `id verifier up` is, which knows no wallets: the holder shows again, nothing is lost."""
    asking = bank.ask_for()
    bank.verifier = bank.folder.verifier.build(bank.registry)
    with pytest.raises(Unavailable, match="serve the folder by that one"):
        bank.show(asking)
    bank.kill()
    bank.show(asking)
    assert bank.deliver() is None
    assert state_of(bank, asking) is State.LIFTED


def test_a_rule_may_name_whose_credentials_will_do(tmp_path):
    """Each issuer has other names for a person, who could lift a wallet for each."""
    other = Bank(tmp_path / "other", lambda text: _name_issuer(text, "did:hansa:city:college"))
    with pytest.raises(Unsound, match=f"a credential of {ISSUER} lifts no wallet here"):
        other.show(other.ask_for())
    other.deliver()
    assert other.ledger.find_category(ANN) is Category.IV
    own = Bank(tmp_path / "own", lambda text: _name_issuer(text, ISSUER))
    lift(own)
    assert own.ledger.find_category(ANN) is Category.III


def _name_issuer(text, issuer):
    return text.replace('# issuers = ["did:hansa:…"]', f'issuers = ["{issuer}"]')


def test_what_is_under_way_goes_before_what_was_asked_earlier(bank):
    """A Lower that was signed before a kill must not undo what a later answer has lifted."""
    early = bank.ask_for()
    bank.pass_time(1_000)
    asking = lift(bank)
    bank.registry.status = INVALID
    bank.watch()
    ending = bank.cases.get(asking.session_id)
    lower = tiers.Lower(ANN, OPERATOR, tiers.Reason.REVOKED)
    signed = asyncio.run(bank.ledger.sign(lower))
    bank.cases.change(ending, envelope=signed.envelope.hex(), tx_id=signed.tx_id.hex())
    bank.registry.status = 0
    bank.kill()
    bank.show(early)
    assert bank.deliver() is None
    assert [state_of(bank, each) for each in (early, asking)] == [State.LIFTED, State.ENDED]
    assert bank.ledger.find_category(ANN) is Category.III
