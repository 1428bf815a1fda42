"""The registry: which contracts this code knows, and what the kernel asks of them as a whole.

Activation is the network's decision (see `governance`): at each height the rows on the ledger
say which version of which contract is in force; a node whose code lacks it stops before.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping
from types import ModuleType

from hansa.contracts import (
    accounts,
    actions,
    activations,
    balances,
    currency,
    governance,
    members,
    nodes,
    payments,
    policy,
    proposals,
    records,
    wallets,
)
from hansa.contracts.identity import (
    accreditation,
    consent,
    did,
    documents,
    evidence,
    resolution,
    schemas,
    status,
    tiers,
)
from hansa.contracts.reconciliation import agreements, cases, positions, reconciliation, windows
from hansa.contracts.risk import in_force, risk
from hansa.kernel.contract import Contract
from hansa.kernel.errors import Unavailable
from hansa.kernel.genesis import Genesis, GenesisContract
from hansa.kernel.machine.rules import RULES, VERSIONS, hash_rules
from hansa.kernel.machine.state import View
from hansa.kernel.quota import Quota
from hansa.kernel.rows import Row

MODULES: tuple[ModuleType, ...] = (
    accounts,
    members,
    policy,
    governance,
    nodes,
    currency,
    wallets,
    balances,
    payments,
    did,
    schemas,
    accreditation,
    status,
    evidence,
    consent,
    tiers,
    agreements,
    cases,
    reconciliation,
    positions,
    risk,
)
"""In the order in which genesis installs them; a contract's older versions stay listed."""

PARTS: Mapping[str, tuple[ModuleType, ...]] = {
    governance.NAME: (actions, activations, proposals),
    payments.NAME: (records,),
    did.NAME: (documents, resolution),
    reconciliation.NAME: (windows,),
    risk.NAME: (in_force,),
}
"""Modules that belong to a contract beside its own; their source is hashed with it."""

DEFAULT_QUOTA = Quota(2**40, 2**32, 1_000_000, 2**32)
"""For members where policy is silent: bytes, envelopes and refusals a day, stored rows."""


def hash_source(module: ModuleType) -> bytes:
    """Hash a contract's source text: what governance activates, and validators report."""
    sources = [inspect.getsource(part) for part in _list_parts(module)]
    return hashlib.sha256("".join(sources).encode()).digest()


def _list_parts(module: ModuleType) -> tuple[ModuleType, ...]:
    return (module, *PARTS.get(module.NAME, ()))


def build_contracts(
    modules: tuple[ModuleType, ...] = MODULES, rules: Mapping[int, str] = VERSIONS
) -> dict[tuple[str, int], Contract]:
    """Build all contracts that this code knows, by name and version, the kernel's rules as well."""
    contracts = {
        (RULES, version): Contract(RULES, version, hash_rules(text), {})
        for version, text in rules.items()
    }
    for module in modules:
        contract = Contract.build(
            module.NAME,
            module.VERSION,
            hash_source(module),
            module.COMMANDS,
            getattr(module, "READS", None),
        )
        contracts[contract.name, contract.version] = contract
    return contracts


def list_genesis_contracts(
    modules: tuple[ModuleType, ...] = MODULES,
) -> tuple[GenesisContract, ...]:
    """List this code's contracts as a new genesis activates them, the newest version of each."""
    newest = {name: found for (name, _), found in sorted(build_contracts(modules).items())}
    return tuple(
        GenesisContract(name, found.version, found.source_hash) for name, found in newest.items()
    )


class Registry:
    """Answers the kernel's questions (`kernel.machine.rules.Rules`) from rows on the ledger."""

    def __init__(
        self,
        genesis: Genesis,
        modules: tuple[ModuleType, ...] = MODULES,
        rules: Mapping[int, str] = VERSIONS,
    ) -> None:
        self._genesis = genesis
        self._modules = modules
        self._rules = rules
        self._known = build_contracts(modules, rules)
        self._seen: object = None
        self._next_change = 0
        self._active: Mapping[str, Contract] = {}
        self._validator_rows: nodes.ValidatorRows = ()
        self._validators: nodes.Validators = ()

    def install(self, view: View) -> None:
        """Write the rows that genesis names, each by the contract that owns them."""
        for module in self._modules:
            install = getattr(module, "install", None)
            if install is not None:
                install(view, self._genesis)

    def active_contracts(self, view: View, height: int) -> Mapping[str, Contract]:
        """Get the contracts in force at `height`.

        Raises:
          Unavailable: this code lacks a version in force, or has another source of it.
        """
        in_force = activations.get_activations(view)
        if in_force is self._seen and height < self._next_change:
            return self._active
        newest: dict[str, activations.Activation] = {}
        next_change = 2**62
        for entry in in_force.entries if in_force else ():
            if entry.from_height > height:
                next_change = min(next_change, entry.from_height)
                continue
            newest[entry.contract] = entry
        active = {
            name: self._require_code(name, entry.version, entry.source_hash, height)
            for name, entry in newest.items()
        }
        self._seen, self._next_change, self._active = in_force, next_change, active
        return active

    def sponsor_quota(self, view: View, sponsor: bytes, time_ms: int) -> Quota | None:
        """Get a sponsor's quota: its own by policy, else everyone's; None for strangers."""
        member = members.get_member(view, sponsor)
        if member is None or member.suspended:
            return None
        for key in (f"sponsor.quota.{sponsor.hex()}", "sponsor.quota"):
            values = policy.get_policy(view, key, time_ms)
            if values:
                return Quota(*values)
        return DEFAULT_QUOTA

    def validators(self, view: View) -> tuple[tuple[bytes, int], ...]:
        """Get (consensus key, power) of who votes on blocks; the same tuple until it changes.

        Costs one look-up a validator where nothing changed: tuples compare rows by identity first.
        """
        rows = nodes.get_validator_rows(view)
        if rows != self._validator_rows:
            self._validator_rows, self._validators = rows, nodes.compute_validators(rows)
        return self._validators

    def written_once(self) -> list[bytes]:
        """List the tables of rows that are written once, as a rule, and not kept in memory."""
        tables = {
            found.TABLE
            for module in self._modules
            for part in _list_parts(module)
            for found in vars(part).values()
            if isinstance(found, type) and issubclass(found, Row) and not found.CACHED
        }
        return sorted(tables)

    def _require_code(self, name: str, version: int, source_hash: bytes, height: int) -> Contract:
        contract = self._known.get((name, version))
        if contract is None or contract.source_hash != source_hash:
            missing = "lacks it" if contract is None else "has another source of it"
            what = f"contract {name}"
            if name == RULES:
                missing = f"knows up to {max(self._rules)} ({self._rules[max(self._rules)]})"
                what = "the kernel's rules, of which"
            raise Unavailable(
                f"{what} version {version} is in force from height {height}, but this "
                f"program {missing}: install the release that the network activated, and start "
                "the node again: it goes on where it stood",
                contract=name,
                version=version,
                height=height,
            )
        return contract
