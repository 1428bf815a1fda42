"""Models: who proposes, approves, declares and stops them, and what payments ask of that."""

from __future__ import annotations

import pytest
from tests import reached
from tests.unit.contracts.harness import (
    MINUTE_MS,
    Harness,
    make_address,
    make_genesis,
    make_key,
    make_member,
)

from hansa.contracts import members, policy
from hansa.contracts.risk import in_force, risk
from hansa.contracts.risk.in_force import NO_MODEL, Basis, InForce
from hansa.contracts.risk.risk import (
    Approve,
    Approved,
    Code,
    Declare,
    Declared,
    Model,
    Policy,
    PolicyApproved,
    Propose,
    Proposed,
    Retire,
    Retired,
    State,
    Suspend,
    Suspended,
    Withdraw,
    Withdrawn,
)
from hansa.kernel.authority import Purpose
from hansa.kernel.contract import NO_MONEY
from hansa.kernel.errors import Refused

NORTH, SHOP = make_address("north"), make_address("shop")
CHAMPION, OTHER, RULES = bytes([1]) * 32, bytes([2]) * 32, bytes([9]) * 32
LAXER = bytes([8]) * 32
NOT_AUTHORIZED = "kernel.NOT_AUTHORIZED"
OFFICER, MACHINE = int(Purpose.OPERATE | Purpose.MANAGE), int(Purpose.SPONSOR)
ASSET = "MOP"
POLICY = {
    "payments.attestation_from_minor": (100,),
    "payments.model_from_minor": (1_000,),
    "payments.attestation_from_minor.EUR": (0,),
    "payments.model_from_minor.EUR": (50,),
    "payments.model_from_minor.USD": (0,),
}


def found(threshold=1):
    """Found a network with an operator that has three officers, and a shop of one key."""
    officers = [make_key(f"north{number}", OFFICER) for number in (1, 2, 3)]
    keys = [*officers, make_key("north server", MACHINE, weight=2)]
    north = make_member("north", "operator", keys=keys, threshold=threshold)
    bank = make_member("central", "central_bank", "validator", weight=1)
    people = [bank, north, make_member("south", "operator"), make_member("shop", "acquirer")]
    return Harness(make_genesis(people, policy=POLICY), members.install, policy.install)


def approve(harness, *models, operator="north"):
    for model in models:
        harness.do(risk.propose, Propose(make_address(operator), model), f"{operator}1")
        harness.do(risk.approve, Approve(make_address(operator), model), f"{operator}2")


def declare(harness, *models):
    """Put models in force under the same rules, which two sign for at first; returns the event."""
    bases = tuple(Basis(model, RULES) for model in models)
    signers = ["north1"] if harness.get(Policy, NORTH, RULES) else ["north1", "north2"]
    return harness.do(risk.declare, Declare(NORTH, bases), *signers)[-1]


@pytest.fixture
def harness():
    return found()


def get_state(harness, model=CHAMPION):
    return harness.get(Model, NORTH, model).state


def test_a_model_is_proposed_by_one_officer_and_approved_by_another(harness):
    proposal = Propose(NORTH, CHAMPION)
    assert harness.refuse(risk.propose, proposal, "south") == NOT_AUTHORIZED
    assert harness.refuse(risk.propose, proposal, "north server") == NOT_AUTHORIZED
    none = Propose(NORTH, NO_MODEL)
    assert harness.refuse(risk.propose, none, "north1") == Code.UNKNOWN_MODEL
    assert harness.do(risk.propose, proposal, "north1") == [Proposed(NO_MONEY, NORTH, CHAMPION)]
    assert harness.refuse(risk.propose, proposal, "north2") == Code.WRONG_STATE
    unknown = Approve(NORTH, OTHER)
    assert harness.refuse(risk.approve, unknown, "north2") == Code.UNKNOWN_MODEL
    approval = Approve(NORTH, CHAMPION)
    assert harness.refuse(risk.approve, approval, "north1") == Code.SAME_OFFICER
    signed = (make_address("north1"), make_address("north2"))
    events = harness.do(risk.approve, approval, "north2")
    assert events == [Approved(NO_MONEY, NORTH, CHAMPION, signed)]
    assert harness.get(Model, NORTH, CHAMPION).officers == signed
    assert harness.refuse(risk.approve, approval, "north3") == Code.WRONG_STATE
    assert harness.get(Model, make_address("south"), CHAMPION) is None


def test_two_signatures_approve_at_once_as_where_the_account_takes_two():
    harness = found(threshold=2)
    proposal = Propose(NORTH, CHAMPION)
    assert harness.refuse(risk.propose, proposal, "north1") == NOT_AUTHORIZED
    (event,) = harness.do(risk.propose, proposal, "north1", "north3")
    assert event.officers == (make_address("north1"), make_address("north3"))
    assert get_state(harness) is State.APPROVED


def test_only_operators_in_good_standing_have_models(harness):
    proposal = Propose(SHOP, CHAMPION)
    assert harness.refuse(risk.propose, proposal, "shop") == members.Code.WRONG_ROLE
    harness.view.begin()
    members.suspend(harness.view, harness.context("central"), NORTH)
    harness._commit()  # noqa: SLF001 - as governance, which orders it, would
    assert harness.refuse(risk.declare, Declare(NORTH, ()), "north1") == members.Code.SUSPENDED


def test_an_operator_of_one_key_approves_nothing(harness):
    south = make_address("south")
    harness.do(risk.propose, Propose(south, CHAMPION), "south")
    assert harness.refuse(risk.approve, Approve(south, CHAMPION), "south") == Code.SAME_OFFICER


def test_what_is_approved_is_put_in_force_and_swapped_and_rolled_back(harness):
    approve(harness, CHAMPION, OTHER)
    wanted = Declare(NORTH, (Basis(CHAMPION, RULES), Basis(bytes([3]) * 32, RULES)))
    assert harness.refuse(risk.declare, wanted, "north1") == Code.UNKNOWN_MODEL
    harness.do(risk.propose, Propose(NORTH, bytes([3]) * 32), "north1")
    assert harness.refuse(risk.declare, wanted, "north1") == Code.WRONG_STATE
    both = (Basis(CHAMPION, RULES), Basis(OTHER, RULES))
    wanted = Declare(NORTH, (both[1], both[0], both[1]))
    assert harness.do(risk.declare, wanted, "north2", "north3") == [
        PolicyApproved(NO_MONEY, NORTH, RULES, (make_address("north2"), make_address("north3"))),
        Declared(NO_MONEY, NORTH, 1, both),
    ]
    positions = []
    for models in ((CHAMPION,), (OTHER,), (), (CHAMPION,)):
        positions.append(harness.height << 20)
        event = declare(harness, *models)
        harness.pass_time(MINUTE_MS)
    assert event.version == 5
    first = harness.get(in_force.PastInForce, NORTH, 1).from_position
    expected = [
        (first - 1, ()),
        (first, both),
        (positions[0] - 1, both),
        (positions[0], both[:1]),
        (positions[1], both[1:]),
        (positions[2], ()),
        (positions[3], both[:1]),
        (1 << 60, both[:1]),
    ]
    harness.view.begin()
    for position, bases in expected:
        assert in_force.find_in_force(harness.view, NORTH, position) == bases
    assert in_force.find_in_force(harness.view, SHOP, first) == ()


def test_a_policy_takes_two_officers_once_and_one_withdraws_it(harness):
    """One officer goes back to what two signed for, and stops it; two bring it back."""
    approve(harness, CHAMPION)
    old, new = (Basis(CHAMPION, RULES),), (Basis(CHAMPION, LAXER), Basis(NO_MODEL, LAXER))
    for bases in (old, new):
        alone = Declare(NORTH, bases)
        assert harness.refuse(risk.declare, alone, "north1") == Code.POLICY_NOT_APPROVED
        server = harness.refuse(risk.declare, alone, "north1", "north server", "south")
        assert server == Code.POLICY_NOT_APPROVED
        harness.do(risk.declare, alone, "north1", "north2")
    for bases in (old, (*old, *new), (), new):
        (event,) = harness.do(risk.declare, Declare(NORTH, bases), "north3")
        assert set(event.bases) == set(bases)
    take_back = Withdraw(NORTH, LAXER)
    for signer in ("north server", "south"):
        assert harness.refuse(risk.withdraw, take_back, signer) == NOT_AUTHORIZED
    unknown = Withdraw(NORTH, OTHER)
    assert harness.refuse(risk.withdraw, unknown, "north1") == Code.POLICY_NOT_APPROVED
    harness.do(risk.declare, Declare(NORTH, (*old, *new)), "north1")
    assert harness.do(risk.withdraw, take_back, "north3") == [
        Withdrawn(NO_MONEY, NORTH, LAXER),
        Declared(NO_MONEY, NORTH, 8, old),
    ]
    assert harness.refuse(risk.withdraw, take_back, "north1") == Code.POLICY_NOT_APPROVED
    again = Declare(NORTH, (*old, *new))
    assert harness.refuse(risk.declare, again, "north1") == Code.POLICY_NOT_APPROVED
    approved, _ = harness.do(risk.declare, again, "north2", "north3")
    assert approved.officers == (make_address("north2"), make_address("north3"))
    assert harness.refuse(risk.declare, Declare(NORTH, old), "south") == NOT_AUTHORIZED
    south = make_address("south")
    alone = Declare(south, (Basis(NO_MODEL, RULES),))
    assert harness.refuse(risk.declare, alone, "south") == Code.POLICY_NOT_APPROVED


def test_one_officer_stops_a_model_at_once_and_two_bring_it_back():
    harness = found(threshold=2)
    for model in (CHAMPION, OTHER):
        harness.do(risk.propose, Propose(NORTH, model), "north1", "north2")
    bases = (Basis(CHAMPION, RULES), Basis(OTHER, RULES))
    harness.do(risk.declare, Declare(NORTH, bases), "north1", "north2")
    stop = Suspend(NORTH, CHAMPION)
    for signer in ("north server", "south", "north"):
        assert harness.refuse(risk.suspend, stop, signer) == NOT_AUTHORIZED
    assert harness.refuse(risk.suspend, Suspend(NORTH, RULES), "north3") == Code.UNKNOWN_MODEL
    harness.pass_time(MINUTE_MS)
    assert harness.do(risk.suspend, stop, "north3") == [
        Suspended(NO_MONEY, NORTH, CHAMPION),
        Declared(NO_MONEY, NORTH, 2, bases[1:]),
    ]
    stopped_ms = harness.time_ms
    assert harness.refuse(risk.suspend, stop, "north3") == Code.WRONG_STATE
    again = Declare(NORTH, bases)
    assert harness.refuse(risk.declare, again, "north1", "north2") == Code.WRONG_STATE
    assert risk.was_suspended(harness.get(Model, NORTH, CHAMPION), harness.time_ms + 1)
    harness.pass_time(MINUTE_MS)
    harness.do(risk.propose, Propose(NORTH, CHAMPION), "north1", "north2")
    model = risk.find_model(harness.view, NORTH, CHAMPION)
    times = (stopped_ms - 1, stopped_ms, harness.time_ms - 1, harness.time_ms)
    assert [risk.was_suspended(model, each) for each in times] == [False, True, True, False]
    assert not risk.was_suspended(harness.get(Model, NORTH, OTHER), harness.time_ms)
    harness.do(risk.declare, again, "north1", "north2")


def test_a_model_that_does_not_decide_is_stopped_without_more_and_retired_for_good(harness):
    approve(harness, CHAMPION)
    declare(harness, CHAMPION)
    give_up = Retire(NORTH, CHAMPION)
    assert harness.refuse(risk.retire, give_up, "south") == NOT_AUTHORIZED
    assert harness.refuse(risk.retire, Retire(NORTH, OTHER), "north1") == Code.UNKNOWN_MODEL
    assert harness.refuse(risk.retire, give_up, "north1") == Code.STILL_IN_FORCE
    declare(harness)
    assert harness.do(risk.suspend, Suspend(NORTH, CHAMPION), "north1") == [
        Suspended(NO_MONEY, NORTH, CHAMPION)
    ]
    assert harness.do(risk.retire, give_up, "north1") == [Retired(NO_MONEY, NORTH, CHAMPION)]
    for function, command in (
        (risk.propose, Propose(NORTH, CHAMPION)),
        (risk.approve, Approve(NORTH, CHAMPION)),
        (risk.declare, Declare(NORTH, (Basis(CHAMPION, RULES),))),
        (risk.suspend, Suspend(NORTH, CHAMPION)),
        (risk.retire, give_up),
    ):
        assert harness.refuse(function, command, "north1") == Code.WRONG_STATE


def ask(harness, amount_minor, asset=ASSET, *, attested=True, sponsor="north"):
    """Ask whether a payment may go; returns the refusal's code and amount, or nothing."""
    harness.view.begin()
    context = harness.context(sponsor=sponsor, attestation=RULES if attested else None)
    try:
        in_force.require_attested(harness.view, context, NORTH, asset, amount_minor)
    except Refused as refusal:
        reached.CODES.add(refusal.code.value)
        return refusal.code.name, refusal.facts["from_minor"]
    return None


def test_payments_are_held_against_policy_and_what_is_in_force(harness):
    """Refused closed above the amount while no model decides, open below it."""
    required, no_model = Code.ATTESTATION_REQUIRED.name, Code.NO_MODEL_IN_FORCE.name
    assert ask(harness, 99, attested=False) is None
    assert ask(harness, 100, attested=False) == (required, 100)
    assert ask(harness, 100, sponsor="south") == (required, 100)
    assert ask(harness, 999) is None
    assert ask(harness, 1_000, attested=False) == (required, 100)
    assert ask(harness, 1_000) == (no_model, 1_000)
    approve(harness, CHAMPION)
    assert ask(harness, 1_000) == (no_model, 1_000)
    declare(harness, CHAMPION)
    assert ask(harness, 1_000) is None
    harness.do(risk.suspend, Suspend(NORTH, CHAMPION), "north3")
    assert harness.get(InForce, NORTH).bases == ()
    alone = (Basis(NO_MODEL, RULES),)
    harness.do(risk.declare, Declare(NORTH, alone), "north1")
    assert harness.get(InForce, NORTH).bases == alone
    assert ask(harness, 1_000) == (no_model, 1_000)
    assert ask(harness, 999) is None


def test_an_asset_has_amounts_of_its_own(harness):
    """Whoever must have a model in force must attest, too; zero asks for nothing."""
    required, no_model = Code.ATTESTATION_REQUIRED.name, Code.NO_MODEL_IN_FORCE.name
    assert ask(harness, 49, "EUR", attested=False) is None
    assert ask(harness, 50, "EUR", attested=False) == (required, 50)
    assert ask(harness, 50, "EUR") == (no_model, 50)
    assert ask(harness, 2**63 - 1, "USD") is None
    assert ask(harness, 100, "USD", attested=False) == (required, 100)
    needed = [
        in_force.is_model_needed(harness.view, asset, amount_minor, harness.time_ms)
        for asset in (ASSET, "EUR", "USD")
        for amount_minor in (49, 50, 999, 1_000)
    ]
    assert needed == [*[False] * 3, True, False, *[True] * 3, *[False] * 4]
    code = policy.Code.UNKNOWN_KEY
    assert policy.find_fault("payments.model_from_minor.", (1,)) is code
    assert policy.find_fault("payments.model_from_minor." + 25 * "x", (1,)) is code
    assert policy.find_fault("payments.attestation_from_minor.é", (1,)) is None
    values = policy.Code.VALUES_OUT_OF_RANGE
    assert policy.find_fault("payments.attestation_from_minor.EUR", (-1,)) is values
