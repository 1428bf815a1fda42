"""Selections: the part of a JSON-LD document to which JSON pointers lead.

Of every object on the way to what is selected, its identifier and types come along, so that the
part says of the same things what the whole does.

Source: RFC 6901; W3C Data Integrity ECDSA Cryptosuites 1.0, sections 3.4.11 to 3.4.14.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hansa.identity.faults import Fault, Unsound

POINTERS_MAX = 256
_POINTER_LETTERS_MAX = 1_024
_ALONG = ("id", "type")

_Wanted = dict[str, Any]
"""By the step from here, what is wanted behind it; empty: everything."""


def select(document: Mapping[str, Any], pointers: Iterable[str]) -> dict[str, Any]:
    """Copy the part of a document to which the pointers lead, in the document's order.

    Raises:
      Unsound: `DISCLOSURE`: no pointer, or one that leads nowhere; `TOO_LARGE`; `MALFORMED`: no
        JSON pointer.
    """
    paths = check_targets(document, pointers)
    if not paths:
        raise Unsound(Fault.DISCLOSURE, "nothing is selected")
    wanted: _Wanted = {}
    for steps in paths:
        _want(wanted, steps)
    whole = {name: document[name] for name in ("@context",) if name in document}
    return {**whole, **_pick(document, wanted if all(paths) else {}), **whole}


def check_targets(document: Mapping[str, Any], pointers: Iterable[str]) -> list[list[str]]:
    """Check that pointers lead to something; return their steps.

    Raises:
      Unsound: `DISCLOSURE`, `TOO_LARGE` or `MALFORMED`.
    """
    paths = []
    for pointer in check_pointers(list(pointers)):
        paths.append(_split(pointer))
        _check_leads(document, paths[-1], pointer)
    return paths


def check_pointers(pointers: list[Any]) -> list[str]:
    """Check that all are JSON pointers, and few.

    Raises:
      Unsound: `TOO_LARGE` or `MALFORMED`.
    """
    if len(pointers) > POINTERS_MAX:
        raise Unsound(Fault.TOO_LARGE, f"{len(pointers)} JSON pointers, over {POINTERS_MAX}")
    for each in pointers:
        if not isinstance(each, str) or (each and not each.startswith("/")):
            raise Unsound(Fault.MALFORMED, f"{each!r:.64} is no JSON pointer: it begins with /")
        if len(each) > _POINTER_LETTERS_MAX:
            raise Unsound(Fault.TOO_LARGE, f"a JSON pointer of {len(each)} letters")
    return pointers


def _split(pointer: str) -> list[str]:
    steps = pointer.split("/")[1:]
    if any("~" in each.replace("~0", "").replace("~1", "") for each in steps):
        raise Unsound(Fault.MALFORMED, f"{pointer!r:.64} is no JSON pointer: ~ is written ~0")
    return [each.replace("~1", "/").replace("~0", "~") for each in steps]


def _check_leads(value: Any, steps: list[str], pointer: str) -> None:  # noqa: ANN401 - any JSON
    for step in steps:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step in map(str, range(len(value))):
            value = value[int(step)]
        else:
            raise Unsound(
                Fault.DISCLOSURE, f"the pointer {pointer!r:.64} leads to nothing in the document"
            )


def _want(wanted: _Wanted, steps: list[str]) -> None:
    """Add a path; where everything is wanted already, nothing less is."""
    for step in steps[:-1]:
        if step in wanted and not wanted[step]:
            return
        wanted = wanted.setdefault(step, {})
    for step in steps[-1:]:
        wanted[step] = {}


def _pick(value: Any, wanted: _Wanted) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, Mapping):
        along = () if not wanted else _ALONG
        return {
            step: _pick(each, {} if step in along else wanted.get(step, {}))
            for step, each in value.items()
            if not wanted or step in wanted or step in along
        }
    if isinstance(value, list):
        return [
            _pick(each, wanted.get(str(index), {}))
            for index, each in enumerate(value)
            if not wanted or str(index) in wanted
        ]
    return value
