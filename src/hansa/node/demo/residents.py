"""Who the town's people are to its identity office: names, birth dates, and what they ask for.

Drawn from the town's seed, apart from its payments: so the same seed gives the same people.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from hansa.contracts.wallets import Category
from hansa.identity.keys.signing import PrivateKey
from hansa.identity.tiers import PAIRWISE, compute_pairwise_subject
from hansa.kernel.crypto.address import to_text
from hansa.node.demo.papers import LICENCE, RESIDENT, Paper, load_key
from hansa.node.demo.town import HARBOUR, REGULATOR, VISITOR, Town, derive_seed
from hansa.sdk.keys import KeyPair

GIVEN_NAMES = ("Ana", "Beatriz", "Chi Wai", "Ka Man", "Luís", "Mei", "Nuno", "Rita", "Sou I", "Wai")
FAMILY_NAMES = (
    "Almeida",
    "Chan",
    "Cheong",
    "Fong",
    "Ho",
    "Lei",
    "Rosário",
    "Sousa",
    "Vong",
    "Wong",
)
TRADES = ("Bakery", "Books", "Café", "Clinic", "Ferry", "Hotel", "Market", "Pharmacy", "Tailor")
AGE_MAX = 85
ADULT = 18
ADULTS_MIN = 2
"""Of any town: one applies for work with a certificate, another with one that was revoked."""
WANTED = {Category.II: 20, Category.III: 30, Category.IV: 50}
"""How many of a hundred residents want a wallet of which category."""


@dataclass(frozen=True, slots=True)
class Resident:
    """Somebody with a wallet, and the paper that raises it."""

    wallet: KeyPair
    holder_key: PrivateKey
    wanted: Category
    type: str
    claims: Mapping[str, Any]
    place: int

    @property
    def is_adult(self) -> bool:
        """Whether this is somebody of age, and no merchant."""
        return bool(self.claims.get("age_over_18"))

    @property
    def paper(self) -> Paper:
        """What the identity office issues."""
        return Paper(self.type, self.claims, self.holder_key, self.place)

    def list_paths(self, operator: bytes) -> tuple[tuple[str, ...], ...]:
        """List the claims that an operator needs for the wanted category, and no others."""
        own = (PAIRWISE, to_text(operator))
        if self.type == LICENCE:
            return (own, ("legal_name",), ("licence_number",))
        if self.wanted is Category.III:
            return (own, ("age_over_18",))
        return (own, ("age_over_18",), ("given_name",), ("family_name",), ("birth_date",))


def draw_residents(town: Town, day: date) -> Iterator[Resident]:
    """Draw everybody who has a wallet, people first, then merchants."""
    drawn = random.Random(f"residents of {town.seed}")  # noqa: S311 - a demo's population
    secret = derive_seed(town.seed, "pairwise subjects")
    operators = [key.address for key in town.institutions[HARBOUR:REGULATOR]]

    def name_pairwise(person: str) -> dict[str, str]:
        """What each operator knows somebody by: no two of them the same."""
        return {to_text(each): compute_pairwise_subject(secret, person, each) for each in operators}

    adults = 0
    for number, wallet in enumerate(town.people):
        person = f"R-{number + 1:06}"
        is_needed = len(town.people) - number <= ADULTS_MIN - adults
        claims = _draw_claims(drawn, day, days_min=366 * ADULT if is_needed else 0)
        adults += claims["age_over_18"]
        claims |= {"resident_number": person, PAIRWISE: name_pairwise(person)}
        key = load_key(derive_seed(town.seed, "holder", person))
        wanted = drawn.choices(tuple(WANTED), tuple(WANTED.values()))[0]
        if number == VISITOR:
            wanted = Category.IV
        yield Resident(wallet, key, wanted, RESIDENT, claims, number)
    for number, wallet in enumerate(town.merchants):
        person = f"L-{number + 1:06}"
        claims = {
            "legal_name": f"{drawn.choice(FAMILY_NAMES)} {drawn.choice(TRADES)} {number + 1}",
            "licence_number": person,
            PAIRWISE: name_pairwise(person),
        }
        key = load_key(derive_seed(town.seed, "holder", person))
        place = len(town.people) + number
        yield Resident(wallet, key, Category.I, LICENCE, claims, place)


def _draw_claims(drawn: random.Random, day: date, *, days_min: int) -> dict[str, Any]:
    """Draw who somebody is that was born at least so many days ago."""
    born = day - timedelta(days=drawn.randrange(days_min, 365 * AGE_MAX))
    birthday = (day.month, day.day) >= (born.month, born.day)
    age = day.year - born.year - (not birthday)
    return {
        "given_name": drawn.choice(GIVEN_NAMES),
        "family_name": drawn.choice(FAMILY_NAMES),
        "birth_date": born.isoformat(),
        "age_over_18": age >= ADULT,
    }
