"""Whatever is decided, fails and is killed in whatever order: in the end the ledger says it."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.node.identity.issuer.ledger.playing import NOW, Ledger, Office

from hansa.contracts.identity.status import Status
from hansa.kernel.errors import Refused
from hansa.node.identity.issuer.ledger.delivery import HELD_S

DECISIONS = (*("suspend", "reinstate") * 3, "revoke")
FAULTS = ("", "", "deaf", "away", "expired", "lying")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("decide"), st.sampled_from(DECISIONS)),
        st.tuples(st.just("step"), st.sampled_from(FAULTS), st.integers(0, 2)),
        st.tuples(st.just("step"), st.sampled_from(FAULTS), st.integers(0, 2)),
        st.tuples(st.just("kill")),
    ),
    max_size=12,
)


@given(STEPS)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=100,
)
def test_in_the_end_the_ledger_says_what_was_decided(tmp_path_factory, steps):
    ledger = Ledger()
    office = Office(tmp_path_factory.mktemp("office"), ledger)
    office.settle()
    office.issue()
    for name, *what in steps:
        if name == "decide":
            decide(office, *what)
        elif name == "kill":
            office.kill()
        else:
            step(office, *what)
    office.clock_s += HELD_S + 1
    office.settle()
    listed = office.service.get_issued(1)
    assert ledger.get_status(listed.status) is listed.issued.status
    assert listed.progress is None or listed.progress.height
    office.service.close()


def decide(office, decision):
    try:
        getattr(office.service, decision)(1, NOW)
    except Refused:
        assert office.service.get_issued(1).issued.status is Status.INVALID


def step(office, fault, lag):
    """Take a step with a fault, and with proofs that are some blocks behind."""
    ledger = office.ledger
    ledger.lag = lag
    if fault:
        setattr(ledger, fault, True)
    office.step()
    ledger.lag = 0
    if fault:
        setattr(ledger, fault, False)
