"""What a node tells of a transaction whose decision is opened, against what it proves."""

from __future__ import annotations

import inspect

import pytest

from hansa.cli.risk.opening import ATTESTED, check_attested
from hansa.contracts import payments
from hansa.kernel.block import Receipt, Status
from hansa.kernel.contract import Event
from hansa.kernel.errors import Invalid


def test_a_node_that_tells_of_another_attestation_than_its_receipt_is_not_believed():
    true = b"t" * 32
    paid = Receipt(bytes(32), Status.OK, "", 0, [("payments", "Transferred", [[], "rent", true])])
    check_attested(paid, true)
    for told in (b"f" * 32, None):
        with pytest.raises(Invalid, match="another attestation"):
            check_attested(paid, told)
    check_attested(Receipt(bytes(32), Status.REFUSED, "payments.OVER_REFUND", 0, []), true)


def test_all_events_that_repeat_it_are_known():
    events = [
        each
        for _, each in inspect.getmembers(payments, inspect.isclass)
        if issubclass(each, Event) and "attestation" in each.__struct_fields__
    ]
    assert {each.__name__ for each in events} == ATTESTED
    assert {each.__struct_fields__[-1] for each in events} == {"attestation"}
