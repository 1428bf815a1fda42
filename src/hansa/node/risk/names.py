"""Names in the folder of risk control: refuses what looks like a file of it and is never read.

Lists that nobody reads stop nobody, so a name of another case or number is no matter of taste.
Copies that editors and people keep beside a file (`rules.toml~`, `rules.old.toml`) are let be.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hansa.kernel.errors import Invalid, InvalidCode, Unavailable
from hansa.node.risk.registry import MODELS
from hansa.node.risk.screening import CLEARED, CUSTOMERS
from hansa.risk.screening.published import LISTS_FOLDER

NAMES: Final = (
    *("policy.toml", "rules.toml", "lists.csv", "lists.toml", "merchants.csv"),
    *(CUSTOMERS, CLEARED, LISTS_FOLDER, MODELS),
)
"""What is read."""
_ENDINGS: Final = frozenset(
    ("", ".csv", ".tsv", ".toml", ".txt", ".json", ".yaml", ".yml", ".csv.txt", ".toml.txt")
)
"""With which a file may be meant: the last two are what Windows makes of a name, unseen."""
_SINGULARS: Final = {"policies": "policy"}


def check_names(folder: Path) -> None:
    """Check that what stands in a folder under a name like those that are read is read.

    Raises:
      Invalid: it is not; names it, and what it may be meant for.
      Unavailable: the folder cannot be read.
    """
    try:
        found = sorted(each.name for each in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise Unavailable(f"{folder} cannot be read: {error.strerror}", path=str(folder)) from None
    for name in found:
        stem, ending = _split(name)
        meant = [each for each in NAMES if _split(each)[0] == stem]
        if meant and name not in NAMES and ending in _ENDINGS:
            raise Invalid(
                InvalidCode.MALFORMED,
                f"{folder / name} is not read: if {' or '.join(meant)} is meant, name it so; if "
                "not, move it out of the folder",
                path=str(folder / name),
            )


def _split(name: str) -> tuple[str, str]:
    """Split a name into a word, in lower case and the singular, and its ending."""
    stem, dot, ending = name.casefold().partition(".")
    return _SINGULARS.get(stem, stem.removesuffix("s")), dot + ending
