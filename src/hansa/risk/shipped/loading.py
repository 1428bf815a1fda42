"""What ships with Hansa to decide by, until an operator has its own: model, policy and rules."""

from __future__ import annotations

from importlib.resources import files

from hansa.risk.decisions.policy import Policy, load_policy
from hansa.risk.intake.describing import FEATURES
from hansa.risk.models.file import Model, read_model
from hansa.risk.rules.book import ReadRule, load_rules

MODEL_NAME = "shipped.model"
POLICY_NAME = "policy.toml"
RULES_NAME = "rules.toml"


def read_shipped(name: str) -> bytes:
    """Read one of the files beside this module, by its name."""
    return (files(__package__) / name).read_bytes()


def load_shipped() -> Model:
    """Load the model that ships, for rows of `FEATURES`."""
    return read_model(read_shipped(MODEL_NAME), MODEL_NAME, FEATURES)


def load_shipped_policy() -> Policy:
    """Load the policy that was chosen for that model."""
    return load_policy(read_shipped(POLICY_NAME), POLICY_NAME)


def load_shipped_rules() -> tuple[ReadRule, ...]:
    """Load the rules that ship."""
    return load_rules(read_shipped(RULES_NAME), RULES_NAME, FEATURES)
