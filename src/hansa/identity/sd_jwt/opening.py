"""Opening: the claims that disclosures reveal, put where the issuer's digests stand.

Every digest may stand once, every disclosure must be found by its digest, and no revealed claim
may take another's place. Array elements and members that stay hidden leave no trace.

Source: RFC 9901, section 7.1, steps 3 to 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hansa.identity.encoding.strict_json import DEPTH_MAX
from hansa.identity.faults import Fault, Unsound
from hansa.identity.sd_jwt.disclosures import (
    DIGESTS,
    ELEMENT,
    HASH,
    RESERVED,
    Disclosure,
    compute_digest,
    find_hash,
    read_disclosure,
)
from hansa.identity.sd_jwt.paths import Place, show_place

_CONTAINERS = frozenset({dict, list})


class Opened(NamedTuple):
    """The claims with all that was disclosed, and where each disclosure went."""

    claims: dict[str, Any]
    disclosed: dict[Place, str]
    """Place of a claim in `claims`, and the text of its disclosure; outer ones before inner."""


def open_claims(payload: Mapping[str, Any], disclosures: Sequence[str]) -> Opened:
    """Put disclosed claims into their places.

    Raises:
      Unsound: `ALGORITHM`; `DUPLICATE`: a digest or disclosure that stands twice; `DISCLOSURE`: one
        that no digest names, in the wrong kind of place, or whose name is taken or reserved;
        `MALFORMED`: digests that are none; `TOO_LARGE`: nested too deep.
    """
    algorithm = find_hash(payload)
    found: dict[str, str] = {}
    for text in disclosures:
        digest = compute_digest(text, algorithm)
        if digest in found:
            raise Unsound(Fault.DUPLICATE, f"the disclosure {text[:24]} stands twice")
        found[digest] = text
    opening = _Opening(found)
    claims = opening.open_object({name: payload[name] for name in payload if name != HASH}, ())
    if found:
        raise Unsound(
            Fault.DISCLOSURE,
            f"the issuer signed no digest of the disclosure {next(iter(found.values()))[:24]}, or "
            "only one within a claim that is not disclosed",
        )
    return Opened(claims, opening.disclosed)


class _Opening:
    """What is left of the disclosures, by digest, while their places are found.

    One is read only when a digest names it, so that nobody's time goes into what nobody signed.
    """

    def __init__(self, left: dict[str, str]) -> None:
        self.disclosed: dict[Place, str] = {}
        self._left = left
        self._seen: set[str] = set()

    def open_object(self, value: dict[str, Any], place: Place) -> dict[str, Any]:
        claims: dict[str, Any] = {}
        digests: Any = []
        for name, inner in value.items():
            if name not in RESERVED:
                claims[name] = self._open(inner, (*place, name))
            elif name == DIGESTS:
                digests = inner
            else:
                raise _misplaced(name, place)
        if type(digests) is not list:
            raise _misplaced(DIGESTS, place)
        for digest in digests:
            disclosure = self._take(digest, place)
            if disclosure is not None:
                name = _check_name(disclosure, claims, place)
                self.disclosed[*place, name] = disclosure.text
                claims[name] = self._open(disclosure.value, (*place, name))
        return claims

    def _open_array(self, value: list[Any], place: Place) -> list[Any]:
        elements: list[Any] = []
        for inner in value:
            here = (*place, len(elements))
            if type(inner) is not dict or ELEMENT not in inner:
                elements.append(self._open(inner, here))
                continue
            if len(inner) > 1:
                raise _misplaced(ELEMENT, here)
            disclosure = self._take(inner[ELEMENT], here)
            if disclosure is not None:
                if disclosure.name is not None:
                    raise _wrong_kind(disclosure, here, "an array's element")
                self.disclosed[here] = disclosure.text
                elements.append(self._open(disclosure.value, here))
        return elements

    def _open(self, value: Any, place: Place) -> Any:  # noqa: ANN401 - any JSON
        if type(value) not in _CONTAINERS:
            return value
        if len(place) >= DEPTH_MAX:
            raise Unsound(
                Fault.TOO_LARGE, f"the disclosed claims are nested deeper than {DEPTH_MAX} levels"
            )
        if type(value) is dict:
            return self.open_object(value, place)
        return self._open_array(value, place)

    def _take(self, digest: Any, place: Place) -> Disclosure | None:  # noqa: ANN401 - any JSON
        """Return the disclosure of a digest; none if it stays hidden, or stands for nothing."""
        if type(digest) is not str:
            raise Unsound(
                Fault.MALFORMED, f"at {show_place(place) or 'the top'} stands a digest of no text"
            )
        if digest in self._seen:
            raise Unsound(Fault.DUPLICATE, f"the digest {digest[:64]} stands twice")
        self._seen.add(digest)
        text = self._left.pop(digest, None)
        return None if text is None else read_disclosure(text)


def _check_name(disclosure: Disclosure, claims: dict[str, Any], place: Place) -> str:
    name = disclosure.name
    if name is None:
        raise _wrong_kind(disclosure, place, "an object's member")
    if name in RESERVED:
        raise Unsound(Fault.DISCLOSURE, f"a disclosure gives the reserved name {name}")
    if name in claims:
        raise Unsound(
            Fault.DISCLOSURE, f"a disclosure gives {show_place((*place, name))}, already there"
        )
    return name


def _wrong_kind(disclosure: Disclosure, place: Place, wanted: str) -> Unsound:
    return Unsound(
        Fault.DISCLOSURE,
        f"the disclosure {disclosure.text[:24]} stands at {show_place(place) or 'the top'}, where "
        f"{wanted} belongs",
    )


def _misplaced(name: str, place: Place) -> Unsound:
    return Unsound(
        Fault.MALFORMED,
        f"the reserved name {name} stands at {show_place(place) or 'the top'} for something else "
        "than digests",
    )
