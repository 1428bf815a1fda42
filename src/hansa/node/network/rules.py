"""Which versions of the kernel's rules a network has decided on, and this program knows.

Source: docs/reference/governance.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hansa.contracts.activations import Activation
from hansa.kernel.machine.rules import RULES, VERSIONS, hash_rules
from hansa.sdk.consensus import Rules, RulesVersion

FIRST_VERSION = 1
"""In force where genesis names none."""


def describe_rules(
    entries: Iterable[Activation], height: int, known: Mapping[int, str] = VERSIONS
) -> Rules:
    """Describe the rules of the block after `height`, and those that come into force later.

    Args:
      entries: what governance has activated.
      height: of the newest block.
      known: the versions that this program knows.
    """
    decided = [entry for entry in entries if entry.contract == RULES]
    begun = [entry.version for entry in decided if entry.from_height <= height + 1]
    hashes = {version: hash_rules(text) for version, text in known.items()}
    scheduled = [
        RulesVersion(
            version=entry.version,
            from_height=entry.from_height,
            source_hash=entry.source_hash.hex(),
            is_known=hashes.get(entry.version) == entry.source_hash,
        )
        for entry in decided
        if entry.from_height > height + 1
    ]
    in_force = max(begun, default=FIRST_VERSION)
    return Rules(
        in_force=in_force,
        known={str(version): found.hex() for version, found in sorted(hashes.items())},
        scheduled=scheduled,
        text=_tell(in_force, max(known), scheduled),
    )


def _tell(in_force: int, newest: int, scheduled: list[RulesVersion]) -> str:
    told = [f"Version {in_force} of the rules is in force; this program knows up to {newest}."]
    for each in scheduled:
        comes = f"Version {each.version} comes into force with block {each.from_height}"
        lack = ", which this program lacks: install the release that has it before"
        told.append(f"{comes}{'' if each.is_known else lack}.")
    return " ".join(told)
