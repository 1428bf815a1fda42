"""Types of credentials under any order of commands: what was published never changes."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.conftest import IS_SOAK
from tests.unit.contracts.harness import Harness, make_address, make_genesis, make_member

from hansa.contracts import members
from hansa.contracts.identity import schemas
from hansa.contracts.identity.schemas import (
    DISPLAY_BYTES_MAX,
    SCHEMA_BYTES_MAX,
    Publish,
    Retire,
    Schema,
)
from hansa.kernel.errors import Refused

OFFICES = ("office", "school", "stranger")
NAMES = ("resident", "student", "Resident", "r\u0435sident")
TEXTS = ("{}", '{"type":"object"}', "é" * (SCHEMA_BYTES_MAX // 2), "é" * (SCHEMA_BYTES_MAX - 9))
DISPLAYS = ("[]", "é" * (DISPLAY_BYTES_MAX // 2), "é" * (DISPLAY_BYTES_MAX - 9))

owners = st.sampled_from(OFFICES)
names = st.sampled_from(NAMES)


class SchemasMachine(RuleBasedStateMachine):
    """Two offices and a stranger, who publish and retire types by the same names."""

    def __init__(self) -> None:
        super().__init__()
        people = [
            make_member("bank", members.Role.CENTRAL_BANK, members.Role.VALIDATOR, weight=1),
            *(make_member(name, members.Role.DEPARTMENT) for name in OFFICES[:2]),
        ]
        self.harness = Harness(make_genesis(people), members.install)
        self.owners: dict[str, str] = {}
        self.versions: dict[str, list[Schema]] = {name: [] for name in NAMES}
        self.suspended: set[str] = set()

    def attempt(self, command: Publish | Retire, signer: str) -> bool:
        """Send a command; if it is refused, see that it changed nothing."""
        function, harness = dict(schemas.COMMANDS.values())[type(command)], self.harness
        harness.view.begin()
        try:
            function(harness.view, harness.context(signer), command)
        except Refused:
            assert harness.view.writes == {}
            return False
        harness.do(function, command, signer)
        return True

    @rule(
        owner=owners,
        name=names,
        step=st.sampled_from([1, 1, 1, 0, 2]),
        text=st.sampled_from(TEXTS),
        display=st.sampled_from(DISPLAYS),
    )
    def publish(self, owner: str, name: str, step: int, text: str, display: str) -> None:
        known = self.versions[name]
        version = max(1, len(known) + step)
        is_due = (
            owner not in {"stranger", *self.suspended}
            and name in NAMES[:2]
            and self.owners.get(name, owner) == owner
            and version == len(known) + 1
            and len(text.encode()) <= SCHEMA_BYTES_MAX
            and len(display.encode()) <= DISPLAY_BYTES_MAX
        )
        command = Publish(make_address(owner), name, version, text, display)
        assert self.attempt(command, owner) == is_due
        if is_due:
            self.owners[name] = owner
            known.append(Schema(name, version, text, display, self.harness.time_ms))

    @rule(owner=owners, name=names, version=st.integers(1, 3))
    def retire(self, owner: str, name: str, version: int) -> None:
        known = self.versions[name]
        is_there = version <= len(known) and known[version - 1].retired_ms == 0
        is_due = is_there and self.owners[name] == owner
        assert self.attempt(Retire(make_address(owner), name, version), owner) == is_due
        if is_due:
            earlier = known[version - 1]
            known[version - 1] = Schema(
                name,
                version,
                earlier.schema,
                earlier.display,
                earlier.since_ms,
                self.harness.time_ms,
            )

    @rule(office=st.sampled_from(OFFICES[:2]))
    def suspend_or_reinstate(self, office: str) -> None:
        view, context = self.harness.view, self.harness.context()
        view.begin()
        is_suspended = office in self.suspended
        (members.reinstate if is_suspended else members.suspend)(
            view, context, make_address(office)
        )
        view.commit()
        self.suspended ^= {office}

    @rule(seconds=st.integers(0, 9))
    def pass_time(self, seconds: int) -> None:
        self.harness.pass_time(1_000 * seconds)

    @invariant()
    def what_is_on_record_is_what_was_published(self) -> None:
        self.harness.view.begin()
        for name, known in self.versions.items():
            found = schemas.get_type(self.harness.view, name)
            assert (found is None) == (not known)
            if found is not None:
                assert (found.owner, found.latest, found.since_ms) == (
                    make_address(self.owners[name]),
                    len(known),
                    known[0].since_ms,
                )
            versions = range(1, len(known) + 2)
            rows = [schemas.get_schema(self.harness.view, name, version) for version in versions]
            assert rows == [*known, None]


TestSchemas = SchemasMachine.TestCase
TestSchemas.settings = settings(
    max_examples=1_000 if IS_SOAK else 60, stateful_step_count=40, deadline=None
)
