"""Themes: sound input, and what attacks make of it. A theme is a file of vectors."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from tests.hostile.paths import judge


class Sound(NamedTuple):
    """Input that is accepted: what attacks begin with."""

    given: Any
    pre: Mapping[str, Any] = MappingProxyType({})


class Case(NamedTuple):
    """An attack on sound input."""

    name: str
    attacks: str
    """The standard and its section that it goes against."""
    faults: tuple[str, ...]
    """`check FAULT`, or `FAULT` alone: everything that must be found, in order."""
    given: Any = None
    """None where the world alone is another one."""
    pre: Mapping[str, Any] = MappingProxyType({})
    sound: str = ""
    """The name of the sound input; empty for the first."""


class Theme(NamedTuple):
    """Sound input and attacks of one kind."""

    title: str
    kind: str
    pre: dict
    sound: dict[str, Sound]
    cases: list[Case]


def write_theme(theme: Theme) -> dict:
    """Write a theme as its file has it, with the texts that are told; checks what must be found."""
    for name, each in theme.sound.items():
        found = judge(theme.kind, {**theme.pre, **each.pre}, each.given)
        if found:
            raise AssertionError(f"{name} is not sound: {found}")
    return {
        "title": theme.title,
        "kind": theme.kind,
        "pre": theme.pre,
        "sound": [
            {"name": name} | _drop({"pre": dict(each.pre), "input": each.given})
            for name, each in theme.sound.items()
        ],
        "cases": [_write_case(theme, each) for each in theme.cases],
    }


def _write_case(theme: Theme, case: Case) -> dict:
    sound = case.sound or next(iter(theme.sound))
    begun = theme.sound[sound]
    given = begun.given if case.given is None else case.given
    found = judge(theme.kind, {**theme.pre, **begun.pre, **case.pre}, given)
    told = tuple(f"{check} {fault.rpartition('.')[2]}".strip() for check, fault, _ in found)
    if told != case.faults:
        raise AssertionError(f"{case.name}: expected {case.faults}, found {found}")
    return _drop(
        {
            "name": case.name,
            "attacks": case.attacks,
            "sound": sound,
            "pre": dict(case.pre),
            "input": case.given,
            "refused": [dict(zip(("check", "fault", "text"), each, strict=True)) for each in found],
        }
    )


def _drop(value: dict) -> dict:
    return {name: each for name, each in value.items() if each not in (None, {})}
