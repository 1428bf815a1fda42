"""What contracts did in the tests of this session: commands that succeeded, codes that refused.

Kept by the harness and by `World`; `tests/unit/contracts/test_reached.py` asks at the end whether
anything was left out.
"""

from __future__ import annotations

from hansa.kernel.contract import Command

COMMANDS: set[type[Command]] = set()
"""Commands that succeeded at least once."""
CODES: set[str] = set()
"""Codes with which a transaction was refused, or found invalid, at least once."""
