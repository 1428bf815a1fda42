"""Sets of validators: keys and voting power, in CometBFT's order, and the hash that names a set.

Source: CometBFT v0.38, types/validator_set.go; docs/reference/light.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Annotated

from msgspec import Meta

from hansa.kernel.encoding import Document
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.light.header import digest
from hansa.kernel.light.protobuf import write_bytes, write_message, write_number
from hansa.kernel.trees.merkle import compute_root
from hansa.kernel.values import INT64_MAX

VALIDATORS_MAX = 256
POWER_MAX = INT64_MAX // 8
"""Of a whole set: CometBFT's bound, far from where its sums could overflow."""

ADDRESS_BYTES = 20


class Validator(Document, frozen=True, array_like=True):
    """A key that takes part in consensus, and how much its vote weighs."""

    public_key: Annotated[bytes, Meta(min_length=32, max_length=32)]
    """Ed25519."""
    power: Annotated[int, Meta(ge=1, le=POWER_MAX)]

    @property
    def address(self) -> bytes:
        """What CometBFT calls it by: the first 20 bytes of the key's hash."""
        return digest(self.public_key)[:ADDRESS_BYTES]

    def encoded(self) -> bytes:
        """Encode as SimpleValidator, a leaf of the set's tree."""
        key = write_bytes(1, self.public_key)
        return write_message(1, key) + write_number(2, self.power)


class ValidatorSet(Document, frozen=True, array_like=True):
    """Who signs the blocks of some heights; a validator is named by its place in it."""

    validators: Annotated[tuple[Validator, ...], Meta(min_length=1, max_length=VALIDATORS_MAX)]

    @staticmethod
    def of(powers: Iterable[tuple[bytes, int]]) -> ValidatorSet:
        """Build the set of these (public key, power), in CometBFT's order.

        Raises:
          Invalid: nobody, too many, a key twice, or more power than CometBFT counts.
        """
        found = ValidatorSet(tuple(sorted((Validator(*each) for each in powers), key=_rank)))
        if not 1 <= len(found.validators) <= VALIDATORS_MAX:
            raise Invalid(
                InvalidCode.TOO_MANY,
                f"a set has 1 to {VALIDATORS_MAX} validators, this one {len(found.validators)}",
            )
        check_validators(found)
        return found

    @property
    def power(self) -> int:
        """Of all together."""
        return sum(validator.power for validator in self.validators)

    def compute_hash(self) -> bytes:
        """Compute what a header calls the set: the root of the RFC 6962 tree over it."""
        return compute_root([validator.encoded() for validator in self.validators], digest)


def check_validators(found: ValidatorSet) -> None:
    """Check what the type lets through: order, keys that stand once, the sum of power.

    Raises:
      Invalid: `MALFORMED`.
    """
    ranks = [_rank(validator) for validator in found.validators]
    if any(one >= other for one, other in pairwise(ranks)):
        raise Invalid(
            InvalidCode.MALFORMED,
            "the validators are not in CometBFT's order: by power from the highest, "
            "then by address, each once",
        )
    if len({validator.public_key for validator in found.validators}) != len(ranks):
        raise Invalid(InvalidCode.MALFORMED, "a validator stands twice in its set")
    if found.power > POWER_MAX:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"the validators have a power of {found.power} together: "
            f"CometBFT counts to {POWER_MAX}",
        )


def _rank(validator: Validator) -> tuple[int, bytes]:
    return -validator.power, validator.address
