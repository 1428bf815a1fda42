"""A bank that decides as a large one does: the model that ships, a hundred rules, a list.

Its ledger asks for an attestation of every payment, and has its models in force. A second model has
the same trees under another name, so that one can be swapped for the other.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace

from hansa.contracts.risk.in_force import NO_MODEL, Basis
from hansa.contracts.risk.risk import Declare, Propose
from hansa.engine.chain import Chain
from hansa.kernel.crypto.address import to_text
from hansa.kernel.genesis import Network
from hansa.node.bench.load import (
    OPERATOR,
    OPERATOR_2,
    PASSPHRASE,
    VALIDITY_MS,
    derive_key,
    sponsor_batch,
)
from hansa.node.home import DECISIONS
from hansa.node.risk.clerk.clerk import Clerk
from hansa.node.risk.clerk.deciding import Deciding
from hansa.node.risk.clerk.journal import Journal
from hansa.node.risk.clerk.placing import Apart, InThread, Opening
from hansa.node.risk.desk import RiskDesk
from hansa.node.risk.loading import RiskFolder
from hansa.node.risk.registry import MODELS, Registry
from hansa.node.service import wall_clock_ms
from hansa.risk.intake.describing import FEATURES
from hansa.risk.models.file import Signed, build_message, encode_arrays, read_model, write_model
from hansa.risk.shipped.loading import (
    MODEL_NAME,
    POLICY_NAME,
    RULES_NAME,
    load_shipped,
    load_shipped_rules,
    read_shipped,
)
from hansa.sdk.build import sign_transaction

RULES = 100
LISTED = 1_000
"""Wallets that the list blocks; nobody in the benchmark has one of them."""
SECOND = "second"
_NEVER = 10**15


def write_folder(folder: Path) -> tuple[bytes, bytes]:
    """Write the bank's folder; returns the hashes of its two models, of which the first decides."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "policy.toml").write_bytes(read_shipped(POLICY_NAME))
    shipped = read_shipped(RULES_NAME).decode()
    more = RULES - len(load_shipped_rules())
    (folder / "rules.toml").write_text(shipped + "".join(map(_write_rule, range(more))))
    lines = ["subject,name,list,until,why"]
    for number in range(LISTED):
        address = to_text(derive_key(f"listed{number}").address)
        lines.append(f"wallet,{address},block,,a court order")
    (folder / "lists.csv").write_text("\n".join(lines) + "\n")
    registry = Registry(folder / MODELS, FEATURES)
    first = registry.add(read_shipped(MODEL_NAME), MODEL_NAME).manifest.model_id
    second = registry.add(_write_second(), SECOND).manifest.model_id
    registry.promote(first.hex())
    return first, second


def _write_rule(number: int) -> str:
    """Write a rule that is asked to its last condition, and does not fire."""
    feature = FEATURES[number % len(FEATURES)]
    conditions = f'"amount_minor >= 1", "payer_count_30d >= 0", "{feature} >= {_NEVER + number}"'
    return f'\n[[rules]]\nname = "asked_{number}"\nverdict = "review"\nall = [{conditions}]\n'


def _write_second() -> bytes:
    named = load_shipped().manifest.features
    model, key = read_model(read_shipped(MODEL_NAME), MODEL_NAME, named), derive_key(OPERATOR)
    manifest = replace(model.manifest, name=SECOND)
    arrays = encode_arrays(model.trees, model.calibration)
    assert hashlib.sha256(arrays).digest() == manifest.arrays_sha256  # noqa: S101 - the same
    signed = Signed(int(key.suite), key.public_key, key.sign(build_message(manifest)))
    return write_model(manifest, signed, arrays)


def sign_basis(network: Network, folder: Path, models: Sequence[bytes]) -> Iterator[bytes]:
    """Sign the batches by which the bank's models come into force under its policy."""
    operator = derive_key(OPERATOR).address
    officers = [derive_key(OPERATOR), derive_key(OPERATOR_2)]
    bases = tuple(Basis(model, RiskFolder(folder).loaded.policy_hash) for model in models)
    commands = [Propose(operator, model) for model in models if model != NO_MODEL]
    until_ms = wall_clock_ms() + VALIDITY_MS
    signed = sign_transaction(network, officers, [*commands, Declare(operator, bases)], until_ms)
    yield sponsor_batch(network, [signed.envelope])


def open_desk(chain: Chain, folder: Path, clock_ms: Callable[[], int]) -> tuple[RiskDesk, Journal]:
    """Open the bank's risk desk in this process, its journal in a new file beside what decides."""
    operator = derive_key(OPERATOR).address
    journal = Journal.open(folder / DECISIONS, PASSPHRASE)
    deciding = Deciding(chain.network, operator, journal, os.urandom, clock_ms())
    files = RiskFolder(folder)
    clerk = InThread(Clerk(deciding, RiskFolder(folder, files.loaded.sources)))
    return RiskDesk(chain, operator, clerk, files, clock_ms), journal


def open_desk_apart(chain: Chain, folder: Path, clock_ms: Callable[[], int]) -> RiskDesk:
    """Open it as a node does, with a process that decides."""
    operator, files = derive_key(OPERATOR).address, RiskFolder(folder)
    genesis = chain.network.genesis.encoded()
    opening = Opening(folder, folder / DECISIONS, PASSPHRASE, genesis, operator, 0)
    clerk = Apart(opening, files.loaded.sources, clock_ms)
    return RiskDesk(chain, operator, clerk, files, clock_ms)
