"""A voted network of real node processes, two of which decide on what their customers pay."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace
from tests.deciding_desk import CHEAP as CHEAP_JOURNAL
from tests.deciding_desk import LARGE_ONES, POLICY, RULES
from tests.integration.network_process import PASSPHRASE, find_base, found
from tests.integration.paying import load_keys
from tests.integration.voted_processes import WITHIN_S, RunningNode
from tests.modelled import write_small

from hansa.contracts.risk.in_force import NO_MODEL, Basis
from hansa.contracts.risk.risk import Approve, Declare, Propose
from hansa.kernel.crypto.address import to_text
from hansa.node.api.keys import add_key
from hansa.node.api.rights import Right, Role
from hansa.node.description import NetworkDescription
from hansa.node.home import Home
from hansa.node.network.founding import describe_institutions
from hansa.node.risk.clerk.journal import Journal
from hansa.node.risk.loading import MODELS, RiskFolder
from hansa.node.risk.registry import Registry
from hansa.node.service import wall_clock_ms
from hansa.risk.intake.describing import FEATURES
from hansa.sdk.answers import TransactionResult
from hansa.sdk.async_client import AsyncClient

ATTESTED_FROM_MINOR, SCORED_FROM_MINOR = 100, 300


class Operator:
    """An operator's node that decides, and the clients by which its officer and its app answer."""

    def __init__(
        self, node: RunningNode, model: bytes = b"", policy: bytes = POLICY, rules: bytes = RULES
    ) -> None:
        """Put policy, rules and a model into the node's folder, which does not run.

        A small model of its own, unless one is given.
        """
        self.node = node
        self.officers = load_keys(node)
        self.address = self.officers[0].address
        folder = node.home.risk_path
        folder.mkdir(mode=0o700)
        (folder / "policy.toml").write_bytes(policy)
        (folder / "rules.toml").write_bytes(rules)
        registry = Registry(folder / MODELS, FEATURES)
        raw = model or write_small(FEATURES, name=node.name, trees=LARGE_ONES)
        self.model = registry.add(raw, node.name).manifest.model_id
        registry.promote(self.model.hex())
        self.policy = RiskFolder(folder).loaded.policy_hash
        Journal.open(node.home.decisions_path, PASSPHRASE, cost=CHEAP_JOURNAL).close()
        settings = node.home.settings_path
        settings.write_text(f"{settings.read_text()}\n[risk]\ndecides = true\n")
        self.officer, self.app = (
            self._open_client(right.value, right)
            for right in (Right.RISK_RELEASE, Right.RISK_CONFIRM)
        )

    def _open_client(self, name: str, right: Right) -> AsyncClient:
        _, token = add_key(
            self.node.home.api_keys_path,
            name=name,
            rights=(right,),
            role=Role.OPERATOR,
            member=to_text(self.address),
            now_ms=wall_clock_ms(),
        )
        return AsyncClient(self.node.url, api_key=token, attempts=1)

    async def close(self) -> None:
        """Close its connections."""
        await asyncio.gather(self.officer.close(), self.app.close())

    async def put_in_force(self) -> list[TransactionResult]:
        """Have one officer propose the model, another approve it, and both declare it in force."""
        first, second = self.officers
        bases = (Basis(NO_MODEL, self.policy), Basis(self.model, self.policy))
        return [
            await self.node.client.send(keys, [command])
            for keys, command in (
                ([first], Propose(self.address, self.model)),
                ([second], Approve(self.address, self.model)),
                ([first, second], Declare(self.address, bases)),
            )
        ]

    async def kill_clerk(self) -> None:
        """Kill the process that decides, once there is one."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                clerks = find_clerks(self.node.process.pid, self.node.home)
                if clerks:
                    break
                await asyncio.sleep(0.05)
        os.kill(clerks[0], signal.SIGKILL)


def found_deciding(folder: Path) -> list[RunningNode]:
    """Make the folders of four institutions; each operator has two officers, one of whom signs."""
    members = tuple(
        replace(each, officers=2) if each.name.startswith("Operator") else each
        for each in describe_institutions(4)
    )
    policy = {
        "payments.attestation_from_minor": (ATTESTED_FROM_MINOR,),
        "payments.model_from_minor": (SCORED_FROM_MINOR,),
    }
    made = found(folder, find_base(), NetworkDescription(members=members, policy=policy))
    return [RunningNode(name, Home(folder / name), each["url"]) for name, each in made.items()]


def find_clerks(pid: int, home: Home) -> list[int]:
    """Find the processes beside a node's that have its journal open: one, once it is started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(each) for each in children.split() if _has_journal(int(each), home)]


def _has_journal(pid: int, home: Home) -> bool:
    with suppress(FileNotFoundError):  # it ended just now
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed just now
                if link.readlink() == home.decisions_path:
                    return True
    return False
