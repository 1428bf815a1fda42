"""Types of credentials: whose name, which version, and that nothing published ever changes."""

from __future__ import annotations

import pytest
from tests.unit.contracts.harness import (
    START_MS,
    Harness,
    make_address,
    make_genesis,
    make_key,
    make_member,
)

from hansa.contracts import accounts, members, policy
from hansa.contracts.identity import schemas
from hansa.contracts.identity.schemas import (
    DISPLAY_BYTES_MAX,
    SCHEMA_BYTES_MAX,
    Code,
    CredentialType,
    Publish,
    Published,
    Retire,
    Retired,
    Schema,
)
from hansa.kernel.authority import AuthorityCode, Purpose
from hansa.kernel.contract import NO_MONEY, Command
from hansa.kernel.encoding import encode
from hansa.kernel.genesis import Limits

OFFICE = make_address("office")
SCHOOL = make_address("school")
TEXT = '{"type":"object"}'
DISPLAY = '[{"name":"Resident","locale":"en"}]'
RESIDENT = Publish(OFFICE, "resident", 1, TEXT, DISPLAY)


def make_town() -> Harness:
    people = [
        make_member("bank", "central_bank", "validator", weight=1),
        make_member("office", "department"),
        make_member("school", "department"),
    ]
    return Harness(make_genesis(people), members.install, policy.install)


def make_published() -> Harness:
    harness = make_town()
    harness.do(schemas.publish, RESIDENT, "office")
    return harness


def test_the_first_version_makes_its_publisher_the_owner():
    harness = make_town()
    events = harness.do(schemas.publish, RESIDENT, "office")
    assert events == [Published(NO_MONEY, OFFICE, "resident", 1)]
    harness.view.begin()
    found = schemas.get_type(harness.view, "resident")
    assert found == CredentialType("resident", OFFICE, 1, START_MS)
    schema = schemas.get_schema(harness.view, "resident", 1)
    assert schema == Schema("resident", 1, TEXT, DISPLAY, START_MS, 0)
    assert schemas.get_schema(harness.view, "resident", 2) is None
    assert schemas.get_type(harness.view, "student") is None


def test_a_later_version_leaves_the_earlier_as_it_is():
    harness = make_published()
    harness.pass_time(1_000)
    harness.do(schemas.publish, Publish(OFFICE, "resident", 2, "true", "[]"), "office")
    assert harness.get(CredentialType, "resident") == CredentialType(
        "resident", OFFICE, 2, START_MS
    )
    assert harness.get(Schema, "resident", 1) == Schema("resident", 1, TEXT, DISPLAY, START_MS)
    later = Schema("resident", 2, "true", "[]", START_MS + 1_000)
    assert harness.get(Schema, "resident", 2) == later


def test_a_retired_version_says_since_when_and_the_next_may_follow():
    harness = make_published()
    harness.pass_time(1_000)
    events = harness.do(schemas.retire, Retire(OFFICE, "resident", 1), "office")
    assert events == [Retired(NO_MONEY, OFFICE, "resident", 1)]
    row = harness.get(Schema, "resident", 1)
    assert row is not None
    assert (row.schema, row.retired_ms) == (TEXT, START_MS + 1_000)
    assert harness.refuse(schemas.retire, Retire(OFFICE, "resident", 1), "office") == (
        Code.ALREADY_RETIRED
    )
    harness.do(schemas.publish, Publish(OFFICE, "resident", 2, TEXT, DISPLAY), "office")


def test_a_key_needs_the_purpose():
    harness = make_town()
    narrow = make_key("desk", Purpose.MANAGE | Purpose.VOTE)
    keys = (narrow, make_key("issuer", Purpose.ASSERT))
    harness.do(accounts.set_keys, accounts.SetKeys(OFFICE, keys, 1), "office", "desk")
    assert harness.refuse(schemas.publish, RESIDENT, "desk") == AuthorityCode.NOT_AUTHORIZED
    harness.do(schemas.publish, RESIDENT, "issuer")


REFUSALS: list[tuple[Command, str, str]] = [
    (RESIDENT, "school", AuthorityCode.NOT_AUTHORIZED),
    (Publish(make_address("ada"), "resident", 1, TEXT, DISPLAY), "ada", "members.NOT_A_MEMBER"),
    (Publish(SCHOOL, "Resident", 7, TEXT, DISPLAY), "school", Code.WRONG_NAME),
    (Publish(SCHOOL, "r\u0435sident", 1, TEXT, DISPLAY), "school", Code.WRONG_NAME),
    (Publish(SCHOOL, "resident", 1, TEXT, DISPLAY), "school", Code.NOT_OWNER),
    (Publish(SCHOOL, "resident", 2, TEXT, DISPLAY), "school", Code.NOT_OWNER),
    (Publish(OFFICE, "resident", 1, "é" * 12_000, DISPLAY), "office", Code.WRONG_VERSION),
    (Publish(OFFICE, "resident", 3, TEXT, DISPLAY), "office", Code.WRONG_VERSION),
    (Publish(SCHOOL, "student", 2, TEXT, DISPLAY), "school", Code.WRONG_VERSION),
    (Publish(OFFICE, "resident", 2, "é" * 12_000, DISPLAY), "office", Code.TOO_LONG),
    (Publish(OFFICE, "resident", 2, TEXT, "é" * 3_000), "office", Code.TOO_LONG),
    (Retire(OFFICE, "resident", 1), "school", AuthorityCode.NOT_AUTHORIZED),
    (Retire(SCHOOL, "student", 1), "school", Code.UNKNOWN_SCHEMA),
    (Retire(SCHOOL, "resident", 2), "school", Code.UNKNOWN_SCHEMA),
    (Retire(SCHOOL, "resident", 1), "school", Code.NOT_OWNER),
]


@pytest.mark.parametrize(("command", "signer", "code"), REFUSALS)
def test_refusals_come_in_order_of_precedence(command, signer, code):
    harness = make_published()
    function = schemas.publish if isinstance(command, Publish) else schemas.retire
    assert harness.refuse(function, command, signer) == code


def test_every_code_is_reached():
    assert set(Code) <= {code for _, _, code in REFUSALS} | {Code.ALREADY_RETIRED}


def test_a_suspended_member_publishes_nothing_but_may_retire():
    harness = make_published()
    harness.view.begin()
    members.suspend(harness.view, harness.context(), OFFICE)
    harness.view.commit()
    following = Publish(OFFICE, "resident", 2, TEXT, DISPLAY)
    assert harness.refuse(schemas.publish, following, "office") == members.Code.SUSPENDED
    harness.do(schemas.retire, Retire(OFFICE, "resident", 1), "office")


def test_the_longest_schema_and_display_fit_in_an_envelope():
    command = Publish(OFFICE, "x" * 64, 2**63 - 1, "x" * SCHEMA_BYTES_MAX, "x" * DISPLAY_BYTES_MAX)
    frame = 2 * (64 + 33 + 32) + 200
    assert len(encode(command)) + frame <= Limits().envelope_bytes
    harness = make_town()
    longest = Publish(OFFICE, "long", 1, "x" * SCHEMA_BYTES_MAX, "x" * DISPLAY_BYTES_MAX)
    harness.do(schemas.publish, longest, "office")
