"""Licences, version 2 of the example: the fee is 800. Version 1 stays, for replay needs both."""

from __future__ import annotations

from tests.unit.contracts.examples.licences import NAME as NAME
from tests.unit.contracts.examples.licences import Grant, grant_for

from hansa.kernel.contract import Command, Event, Function
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View

VERSION = 2

FEE_MINOR = 800


def grant(view: View, context: Context, command: Grant) -> list[Event]:
    """Grant a licence for the fee of this version."""
    return grant_for(view, context, command, FEE_MINOR)


COMMANDS: dict[str, tuple[type[Command], Function]] = {"grant": (Grant, grant)}
