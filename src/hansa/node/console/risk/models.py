"""An operator's models: what each is, who has which role, and where each stands on the ledger."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hansa.contracts.risk.risk import Model as Registered
from hansa.kernel.crypto.address import address_of
from hansa.node.console.reading import Reader
from hansa.node.risk.desk import RiskDesk, Standing
from hansa.node.risk.registry import Listed, Roles
from hansa.risk.models.file import Manifest, Model

MODELS_PER_PAGE = 8


@dataclass(frozen=True, slots=True)
class ModelLine:
    """One model of the folder."""

    model_id: str
    role: str
    """A key of `words.ROLES`."""
    manifest: Manifest | None
    trees: int
    maker: bytes | None
    """Address of the key that signed the manifest."""
    fault: str
    """Why there is no model in its file; empty if there is."""
    registered: Registered | None
    """As the ledger has it."""
    policies: tuple[bytes, ...]
    """Under which it is in force on the ledger."""


@dataclass(frozen=True, slots=True)
class ModelsPage:
    """Some models of the folder."""

    lines: tuple[ModelLine, ...]
    count: int
    first: int
    roles: Roles
    lost: tuple[str, ...]
    """Faults of roles that were given."""


async def read_models(reader: Reader, desk: RiskDesk, standing: Standing, first: int) -> ModelsPage:
    """Read a page of models: those with a role first, then by the hashes that name them."""
    registry = desk.registry
    roles = registry.roles
    names = await asyncio.to_thread(registry.list_names)
    order = [roles.champion, roles.challenger, *roles.earlier]
    ranked = sorted(names, key=lambda name: order.index(name) if name in order else len(order))
    shown = ranked[first : first + MODELS_PER_PAGE]
    listed = await asyncio.to_thread(registry.list_models, shown)
    lines = [_read_line(reader, desk.operator, standing, roles, each) for each in listed]
    return ModelsPage(tuple(lines), len(ranked), first, roles, registry.faults)


def _read_line(
    reader: Reader, operator: bytes, standing: Standing, roles: Roles, listed: Listed
) -> ModelLine:
    model_id = bytes.fromhex(listed.model_id)
    model = listed.model
    return ModelLine(
        listed.model_id,
        name_role(roles, listed.model_id),
        None if model is None else model.manifest,
        0 if model is None else len(model.trees.roots),
        None if model is None else _find_maker(reader, model),
        listed.fault or "",
        reader.load(Registered, operator, model_id),
        tuple(each.policy for each in standing.in_force if each.model == model_id),
    )


def _find_maker(reader: Reader, model: Model) -> bytes:
    signed = model.signed
    return address_of(signed.suite, signed.public_key, reader.chain.network.digest)


def name_role(roles: Roles, model_id: str) -> str:
    """Name the role of a model, a key of `words.ROLES`."""
    if roles.champion == model_id:
        return "champion"
    if roles.challenger == model_id:
        return "challenger"
    return "earlier" if model_id in roles.earlier else "none"
