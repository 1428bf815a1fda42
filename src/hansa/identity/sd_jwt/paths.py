"""Claims path pointers: which claims of a credential are meant.

A path is a tuple: text names a member of an object, a number an element of an array (from 0), and
`None` each element of an array. A place is a path without `None`: one claim.

Source: OpenID4VP 1.0, section 7; draft-ietf-oauth-sd-jwt-vc, claim path.
"""

from __future__ import annotations

from typing import Any

from hansa.identity.faults import Fault, Unsound

Path = tuple[str | int | None, ...]
Place = tuple[str | int, ...]

_NAME_LETTERS_MAX = 64


def find_places(claims: dict[str, Any], path: Path) -> list[Place]:
    """Find the claims that a path means, in their order; none where they are not there.

    Raises:
      Unsound: `MALFORMED`: the path is empty or holds something else, or asks an object for a
        number, or an array for a name.
    """
    if not path:
        raise Unsound(Fault.MALFORMED, "a path to a claim has at least one part")
    found: list[tuple[Place, Any]] = [((), claims)]
    for part in path:
        found = [
            ((*place, step), inner)
            for place, value in found
            for step, inner in _enter(value, part, path)
        ]
    return [place for place, _ in found]


def show_place(place: Path) -> str:
    """Write a place for people, as `address/country` or `degrees/0/type`."""
    return "/".join("*" if part is None else str(part)[:_NAME_LETTERS_MAX] for part in place)


def _enter(value: Any, part: str | int | None, path: Path) -> list[tuple[str | int, Any]]:  # noqa: ANN401 - any JSON
    if isinstance(part, str):
        if not isinstance(value, dict):
            raise _mismatch(path, f"{part!r} names a member, but there is no object")
        return [(part, value[part])] if part in value else []
    if part is not None and (type(part) is not int or part < 0):
        raise _mismatch(path, "a part is text, a number from 0, or null")
    if not isinstance(value, list):
        raise _mismatch(path, f"{part!r} is for elements, but there is no array")
    if part is None:
        return list(enumerate(value))
    return [(part, value[part])] if part < len(value) else []


def _mismatch(path: Path, why: str) -> Unsound:
    return Unsound(Fault.MALFORMED, f"the path {show_place(path)} does not fit: {why}")
