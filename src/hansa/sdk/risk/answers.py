"""What a node's API answers about risk control; as `hansa.sdk.answers`."""

from __future__ import annotations

from hansa.sdk.answers import AddressText, Answer, Count, HashText, TimeMs


class Model(Answer, frozen=True, kw_only=True):
    """A model that an operator registered."""

    model: HashText
    """Hash of its manifest."""
    state: str
    """`proposed`, `approved`, `suspended` or `retired`."""
    since_ms: TimeMs
    officers: list[AddressText]
    """Keys that signed for it."""
    suspended_ms: TimeMs | None
    """When it was suspended last."""


class Policy(Answer, frozen=True, kw_only=True):
    """A policy of an operator's own that two of its officers signed for, once at least."""

    policy: HashText
    state: str
    """`approved` or `withdrawn`."""
    since_ms: TimeMs
    officers: list[AddressText]
    """Keys that signed for it; none once it was withdrawn."""


class Basis(Answer, frozen=True, kw_only=True):
    """A model that decides, and under which policy of its operator."""

    model: HashText
    policy: HashText


class Operator(Answer, frozen=True, kw_only=True):
    """By what an operator decides on payments; all models and policies that it ever had."""

    operator: AddressText
    version: Count
    """Of what is in force; 0 where nothing ever was."""
    since_ms: TimeMs | None
    bases: list[Basis]
    models: list[Model]
    policies: list[Policy]
