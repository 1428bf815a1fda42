"""The folder of an operator: that of a verifier, with `tiers.toml` beside its settings.

Source: docs/how-to/raise-a-wallet.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from hansa.kernel.errors import Invalid
from hansa.node.identity.folders import Draw, write_beside
from hansa.node.identity.operator.asking import TierDesk
from hansa.node.identity.operator.settings import Settings, load_settings
from hansa.node.identity.verifier.folder import VerifierFolder, create_folder, open_verifier
from hansa.passphrases import DEFAULT_COST, ScryptCost

SETTINGS = "tiers.toml"
_TEMPLATES = Path(__file__).parent / "templates"


class NewOperator(NamedTuple):
    """What a new folder must say."""

    url: str
    name: str
    operator: str
    node: str
    genesis: str
    key: str


class OperatorFolder(NamedTuple):
    """An opened folder; close the verifier's records."""

    path: Path
    verifier: VerifierFolder
    settings: Settings
    desk: TierDesk

    def close(self) -> None:
        """Close the records."""
        self.verifier.records.close()


def create_operator(
    path: Path, new: NewOperator, *, passphrase: str, draw: Draw, cost: ScryptCost = DEFAULT_COST
) -> Settings:
    """Make the folder of an operator, with a new key of the verifier and examples of rules.

    Raises:
      Invalid: something is there already, or the settings cannot be.
      Unavailable: the disk refuses.
    """
    create_folder(path, url=new.url, name=new.name, passphrase=passphrase, draw=draw, cost=cost)
    names = new._asdict()
    del names["url"], names["name"]
    try:
        write_beside(path / SETTINGS, _TEMPLATES / SETTINGS, load_settings, **names)
    except Invalid:
        for made in path.iterdir():
            made.unlink()
        raise
    return load_settings(path / SETTINGS)


def open_operator(path: Path, passphrase: str, draw: Draw) -> OperatorFolder:
    """Open the folder of an operator.

    Raises:
      NotFound: a file is missing.
      Invalid: a file is wrong, or the passphrase is.
      Corrupt: the records are damaged.
      Unavailable: the disk refuses.
    """
    settings = load_settings(path / SETTINGS)
    verifier = open_verifier(path, passphrase, draw)
    return OperatorFolder(path, verifier, settings, TierDesk(verifier, settings))
