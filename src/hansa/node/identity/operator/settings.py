"""Settings of tiers: the file `tiers.toml` of an operator's folder, beside `verifier.toml`.

Source: docs/how-to/raise-a-wallet.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from hansa.contracts.wallets import Category
from hansa.identity.dcql.queries import ClaimQuery
from hansa.identity.tiers import PAIRWISE
from hansa.kernel.crypto.address import from_text
from hansa.kernel.errors import Invalid
from hansa.node.identity.issuer.settings import LedgerAccess
from hansa.node.identity.settings import Name, Section, is_safe_url, read_settings

MINUTES_MAX = 24 * 60


class AskedClaim(Section, frozen=True, kw_only=True):
    """A claim that is asked for."""

    path: Annotated[tuple[str, ...], Meta(min_length=1, max_length=16)]
    values: Annotated[tuple[str | int | bool, ...], Meta(max_length=256)] = ()
    """Only one of these will do; any where there are none."""


class Rule(Section, frozen=True, kw_only=True):
    """What somebody must show for a category."""

    category: Literal["I", "II", "III"]
    type: Annotated[str, Meta(min_length=1, max_length=2_000)]
    """Of the credential: `vct`."""
    purpose: Name
    """As wallets show it, before the wallet and its category."""
    claims: Annotated[tuple[AskedClaim, ...], Meta(max_length=60)] = ()
    """Beside the person's name towards this operator."""
    issuers: Annotated[tuple[str, ...], Meta(max_length=64)] = ()
    """Whose credentials will do; of anyone who is believed where there are none. Each issuer names
    a person by another name, so that somebody can lift a wallet for each."""

    def list_claims(self, operator: str) -> tuple[ClaimQuery, ...]:
        """List what is asked of the credential."""
        own = ClaimQuery(path=(PAIRWISE, operator))
        asked = (ClaimQuery(path=each.path, values=each.values or None) for each in self.claims)
        return (own, *asked)


class Settings(Section, frozen=True, kw_only=True):
    """Everything that `tiers.toml` can say."""

    operator: str
    """Its address on the ledger."""
    ledger: LedgerAccess
    """The node to which raises are brought; its key may operate for the operator."""
    answer_minutes: Annotated[int, Meta(ge=1, le=MINUTES_MAX)] = 60
    """How long a request is good, and with it what was shown until it is on the ledger."""
    days_max: Annotated[int, Meta(ge=1, le=366)] = 366
    """How long a wallet is lifted at most, if the credential does not end before; not more than
    the policy `tiers.days_max`, or the ledger refuses it."""
    watch_minutes: Annotated[int, Meta(ge=1, le=MINUTES_MAX)] = 15
    """How often status lists are read again."""
    names_wallet: bool = True
    """Whether holders are told which wallet is lifted, and agree to that (transaction data)."""
    rules: Annotated[tuple[Rule, ...], Meta(min_length=1, max_length=3)]

    @property
    def address(self) -> bytes:
        """The operator's address."""
        return from_text(self.operator)

    def find(self, category: Category) -> Rule | None:
        """Find what must be shown for a category."""
        return next((each for each in self.rules if each.category == category.name), None)


def load_settings(path: Path) -> Settings:
    """Load and check the settings; raises as `read_settings`."""
    return read_settings(path, Settings, _find_faults)


def _find_faults(settings: Settings) -> Iterator[str]:
    try:
        from_text(settings.operator)
    except Invalid as error:
        yield f"operator: {error.message}"
    if not is_safe_url(settings.ledger.node):
        yield "ledger.node: must be https; http is for this machine alone"
    if len({each.category for each in settings.rules}) < len(settings.rules):
        yield "rules: two are for one category"
    for rule in settings.rules:
        paths = [each.path for each in rule.claims]
        if len(set(paths)) < len(paths) or any(path[0] == PAIRWISE for path in paths):
            yield (
                f"rules: that for {rule.category} asks twice for one claim; {PAIRWISE} is asked "
                "for anyway"
            )
