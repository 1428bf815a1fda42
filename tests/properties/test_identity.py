"""DID documents under any order of commands: as a simple model has them, now and at any time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.conftest import IS_SOAK
from tests.unit.contracts.harness import HOUR_MS, Harness
from tests.world import key

from hansa.contracts import accounts
from hansa.contracts.accounts import RECOVERY_DELAY_MIN_MS
from hansa.contracts.identity import did
from hansa.contracts.identity.documents import EMPTY, Content, Delegate, KeyBytes, Service
from hansa.contracts.identity.resolution import Resolution, resolve
from hansa.kernel.authority import AccountKey, Purpose
from hansa.kernel.contract import Command
from hansa.kernel.errors import Refused

PEOPLE = ("ada", "ben")
DEVICES = ("ada", "ben", "phone")
FUNCTIONS = {**dict(accounts.COMMANDS.values()), **dict(did.COMMANDS.values())}
BITS = {Purpose.AUTHENTICATE: 1, Purpose.ASSERT: 2, Purpose.MANAGE: 8}

purposes = st.sampled_from([1023, int(Purpose.MANAGE), int(Purpose.ASSERT), 1, 512 | 256 | 2])
devices = st.lists(
    st.tuples(st.sampled_from(DEVICES), purposes, st.integers(1, 2)),
    min_size=1,
    max_size=3,
    unique_by=lambda each: each[0],
)
people = st.sampled_from(PEOPLE)
signers = st.sampled_from(["", "", *DEVICES])
"""Empty for one that may."""


@cache
def address(name: str) -> bytes:
    return key(name).address


@dataclass(frozen=True)
class Model:
    """What is known of somebody: keys by device, and what they said."""

    keys: tuple[tuple[str, int, int], ...] | None = None
    threshold: int = 1
    account_version: int = 0
    document_version: int = 0
    content: Content = EMPTY
    deactivated: bool = False
    created_ms: int = 0
    updated_ms: int = 0

    def tell(self, name: str) -> tuple[object, ...] | None:
        """Tell what a resolution must say of it."""
        if self.account_version + self.document_version == 0:
            return None
        keys = []
        for device, uses, weight in self.keys or ((name, 1023, 1),):
            shown = sum(bit for purpose, bit in BITS.items() if uses & purpose)
            if shown and not self.deactivated:
                keys.append((address(device), shown if weight >= self.threshold else 0))
        version = self.account_version + self.document_version
        told = (version, self.created_ms, self.updated_ms, self.deactivated, self.content)
        return (*told, tuple(keys))


def tell(found: Resolution | None) -> tuple[object, ...] | None:
    if found is None:
        return None
    keys = tuple((each.address, int(each.relationships)) for each in found.keys)
    told = (found.version, found.created_ms, found.updated_ms, found.deactivated, found.content)
    return (*told, keys)


class IdentityMachine(RuleBasedStateMachine):
    """Three people, whose devices manage their accounts and documents."""

    def __init__(self) -> None:
        super().__init__()
        self.harness = Harness()
        self.models = {name: Model() for name in PEOPLE}
        self.past: list[tuple[int, dict[str, Model]]] = []
        self.published: set[str] = set()

    def attempt(self, command: Command, *signers: str) -> bool:
        """Send a command; if it is refused, see that it changed nothing."""
        function, harness = FUNCTIONS[type(command)], self.harness
        signed = [address(name) for name in signers]
        harness.view.begin()
        try:
            function(harness.view, harness.context(*signed), command)
        except Refused:
            assert harness.view.writes == {}
            return False
        harness.do(function, command, *signed)
        return True

    def change(self, name: str, **changes: object) -> None:
        """Note in the model what was changed now."""
        model = self.models[name]
        is_new = model.account_version + model.document_version == 0
        created_ms = self.harness.time_ms if is_new else model.created_ms
        self.models[name] = replace(
            model, **changes, created_ms=created_ms, updated_ms=self.harness.time_ms
        )

    def change_account(self, name: str, keys: list[tuple[str, int, int]], threshold: int) -> None:
        version = self.models[name].account_version + 1
        self.change(name, keys=tuple(keys), threshold=threshold, account_version=version)

    def choose(self, name: str, signer: str) -> str:
        """Choose a device that may manage an account, unless one is named."""
        return signer or next((each for each in DEVICES if self.may_manage(name, each)), name)

    def may_manage(self, name: str, signer: str) -> bool:
        model = self.models[name]
        if model.keys is None:
            return signer == name
        found = [each for each in model.keys if each[0] == signer and each[1] & Purpose.MANAGE]
        return sum(weight for *_, weight in found) >= model.threshold

    @rule(name=people, keys=devices, threshold=st.integers(1, 2))
    def set_keys(self, name: str, keys: list[tuple[str, int, int]], threshold: int) -> None:
        made = tuple(AccountKey(address(device), *rest) for device, *rest in keys)
        kind = accounts.SetKeys if self.models[name].keys else accounts.Create
        if self.attempt(kind(address(name), made, threshold), *DEVICES):
            self.change_account(name, keys, threshold)

    @rule(name=people)
    def set_guardians(self, name: str) -> None:
        others = tuple(address(other) for other in PEOPLE if other != name)
        command = accounts.SetGuardians(address(name), others, 1, RECOVERY_DELAY_MIN_MS)
        self.attempt(command, *DEVICES)  # which changes nothing in the document

    @rule(name=people, device=st.sampled_from(DEVICES))
    def begin_recovery(self, name: str, device: str) -> None:
        keys = (AccountKey(address(device), 1023),)
        self.attempt(accounts.BeginRecovery(address(name), keys, 1), *DEVICES)

    @rule(name=people, is_vetoed=st.booleans())
    def end_recovery(self, name: str, *, is_vetoed: bool) -> None:
        if is_vetoed:
            self.attempt(accounts.VetoRecovery(address(name)), *DEVICES)
            return
        self.harness.view.begin()
        pending = accounts.find_pending(self.harness.view, address(name))
        if self.attempt(accounts.CompleteRecovery(address(name))):
            assert pending is not None
            (device,) = [each for each in DEVICES if address(each) == pending.keys[0].address]
            self.change_account(name, [(device, 1023, 1)], 1)

    @rule(
        name=people,
        signer=signers,
        site=st.sampled_from(["https://a.example", "https://b.example", ""]),
        until=st.sampled_from([0, 1, 2, 2]),
        lag=st.sampled_from([0, 0, 0, 1]),
    )
    def say(self, name: str, signer: str, site: str, until: int, lag: int) -> None:
        """Begin a document, or replace the present version or the one before."""
        signer = self.choose(name, signer)
        model, end_ms = self.models[name], self.harness.time_ms + until * HOUR_MS
        friend = address(PEOPLE[PEOPLE.index(name) - 1])
        services = (Service("site", "LinkedDomains", site),) if site else ()
        content = Content((), services, (Delegate(friend, 3, end_ms),))
        version = model.document_version
        command: Command = did.Create(address(name), content, ())
        is_due = self.may_manage(name, signer) and until > 0
        if version:
            command = did.Update(address(name), max(1, version - lag), content, ())
            is_due = is_due and not model.deactivated and (version == 1 or lag == 0)
        assert self.attempt(command, signer) == is_due
        if is_due:
            self.change(name, content=content, document_version=version + 1)

    @rule(name=people, signer=signers, is_meant=st.sampled_from([False, False, True]))
    def deactivate(self, name: str, signer: str, *, is_meant: bool) -> None:
        if not is_meant:
            return  # rare, as little can follow it
        signer, model = self.choose(name, signer), self.models[name]
        self.harness.view.begin()
        pending = accounts.find_pending(self.harness.view, address(name))
        is_there = model.document_version > 0 and not model.deactivated
        is_due = self.may_manage(name, signer) and is_there and pending is None
        assert self.attempt(did.Deactivate(address(name)), signer) == is_due
        if is_due:
            version = model.document_version + 1
            self.change(name, content=EMPTY, deactivated=True, document_version=version)

    @rule(name=st.sampled_from(DEVICES))
    def publish(self, name: str) -> None:
        assert self.attempt(did.PublishKeys((KeyBytes(1, key(name).public_key),)))
        self.published.add(name)

    @rule(hours=st.sampled_from([0, 1, 30]))
    def pass_time(self, hours: int) -> None:
        self.past.append((self.harness.time_ms, dict(self.models)))
        self.harness.pass_time(hours * HOUR_MS)

    @invariant()
    def the_present_is_as_the_model_has_it(self) -> None:
        self.harness.view.begin()
        for name, model in self.models.items():
            found = resolve(self.harness.view, address(name))
            assert tell(found) == model.tell(name)
            for each in found.keys if found else ():
                (device,) = [other for other in DEVICES if address(other) == each.address]
                published = key(device).public_key if device in self.published else b""
                assert each.public_key == published

    def teardown(self) -> None:
        """Every moment of the past is told as it was told then, at its end."""
        self.past.append((self.harness.time_ms, dict(self.models)))
        last = dict(self.past)
        times = [*last, self.harness.time_ms + HOUR_MS]
        for (time_ms, models), next_ms in zip(last.items(), times[1:], strict=True):
            for name, model in models.items():
                for moment_ms in {time_ms, max(time_ms, next_ms - 1)}:
                    self.harness.view.begin()
                    found = resolve(self.harness.view, address(name), moment_ms)
                    assert tell(found) == model.tell(name)
        for name, model in last[next(iter(last))].items():
            before = resolve(self.harness.view, address(name), next(iter(last)) - 1)
            assert before is None, model


TestIdentity = IdentityMachine.TestCase
TestIdentity.settings = settings(
    max_examples=2_000 if IS_SOAK else 80, stateful_step_count=50, deadline=None
)
