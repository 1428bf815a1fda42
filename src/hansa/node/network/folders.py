"""The nodes of a network on one machine: a folder each, in the folder of the network."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hansa.engine.snapshots.carried import is_carried
from hansa.engine.whole_folder import require_folder
from hansa.kernel.errors import Invalid, InvalidCode, NotFound
from hansa.node.home import Home
from hansa.node.settings import Settings, load_settings
from hansa.program import name_program


@dataclass(frozen=True, slots=True)
class NodeFolder:
    """One node of the network."""

    name: str
    home: Home
    settings: Settings

    @property
    def log_path(self) -> Path:
        """What the node's own process says on standard error."""
        return self.home.path / "node.log"

    @property
    def end_path(self) -> Path:
        """How its process ended last, as long as it has not answered since."""
        return self.home.path / "ended.json"

    @property
    def held_path(self) -> Path:
        """Is there while the node is not to run beside the others of its network."""
        return self.home.path / "held"

    @property
    def url(self) -> str:
        """Where its API answers."""
        scheme = "https" if self.settings.tls.certificate else "http"
        return f"{scheme}://{self.settings.listen.host}:{self.settings.listen.port}"


def list_nodes(folder: Path) -> list[NodeFolder]:
    """List the nodes of a network's folder, by port, then by name.

    Raises:
      NotFound: there is none.
      Invalid: a node's settings are wrong, or they are of different networks.
    """
    require_folder(folder, f"the folder that {name_program()} network init made")
    if Home(folder).exists():
        raise NotFound(
            f"{folder} is the folder of one node: with --dir, name that of its network, in which "
            "it lies",
            path=str(folder),
        )
    homes = [Home(path) for path in sorted(folder.glob("*")) if not is_carried(path)]
    homes = [home for home in homes if home.exists()]
    if not homes:
        raise NotFound(
            f"there is no network in {folder}: make one with {name_program()} network init, or "
            "name another folder with --dir",
            path=str(folder),
        )
    _require_one_network(homes)
    nodes = [NodeFolder(home.path.name, home, load_settings(home.settings_path)) for home in homes]
    return sorted(nodes, key=lambda node: (node.settings.listen.port, node.name))


def _require_one_network(homes: Sequence[Home]) -> None:
    first, *others = homes
    for other in others:
        if other.read_genesis() != first.read_genesis():
            raise Invalid(
                InvalidCode.MALFORMED,
                f"{first.path} and {other.path} are nodes of different networks: keep each network "
                "in a folder of its own",
                path=str(other.path),
            )


def choose_nodes(nodes: Sequence[NodeFolder], name: str | None) -> list[NodeFolder]:
    """Choose the node of this name, or all where none is named; raises `NotFound`."""
    chosen = [node for node in nodes if name in (None, node.name)]
    if not chosen:
        names = ", ".join(node.name for node in nodes)
        raise NotFound(f"there is no node {name!a} here: there are {names}", node=name)
    return chosen


def name_logs(folder: Path) -> str:
    """Name the command that shows what the nodes of a network say; `--node` names one of them."""
    return f"{name_program()} network logs --dir {shlex.quote(str(folder))}"
