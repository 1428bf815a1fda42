"""Issuance: claims in, a signed SD-JWT with its disclosures out.

Whatever a path names becomes a disclosure of its own; where both an object and what is in it are
named, the inner disclosures stand within the outer one (recursive). Digests are sorted and can be
filled up with decoys, so that nobody counts what stays hidden.

Source: RFC 9901, section 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.encoding.canonical_json import SAFE_INTEGER_MAX
from hansa.identity.encoding.strict_json import DEPTH_MAX
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.jws import decode_jws, sign_jws
from hansa.identity.keys.signing import Signer
from hansa.identity.sd_jwt.disclosures import (
    DEFAULT_HASH,
    DIGESTS,
    ELEMENT,
    HASH,
    RESERVED,
    SALT_BYTES,
    SALT_LETTERS,
    compute_digest,
    write_disclosure,
)
from hansa.identity.sd_jwt.paths import Path, Place, find_places, show_place
from hansa.identity.sd_jwt.serialization import DISCLOSURES_MAX, SdJwt

NO_HEADER: Mapping[str, Any] = MappingProxyType({})
_RANDOM_BYTES = 8
_LEAVES = frozenset({str, bool, type(None)})


def issue_sd_jwt(
    signer: Signer,
    claims: dict[str, Any],
    selective: Iterable[Path],
    draw: Callable[[int], bytes],
    *,
    header: Mapping[str, Any] = NO_HEADER,
    pad_to: int = 1,
) -> SdJwt:
    """Sign claims so that those on the paths in `selective` can each be shown or kept.

    `draw` gives that many random bytes. Each list of digests gets decoys until its length is a
    multiple of `pad_to`, so that 1 adds none.

    Raises:
      Unsound: `MALFORMED`: a path that names nothing, so that nothing meant to be hidden ever
        stands open; a reserved name; a value that is not JSON; `TOO_LARGE`; `KEY`.
    """
    concealment = _Concealment(_find_all(claims, selective), draw, pad_to)
    try:
        payload = concealment.conceal_object(claims, ())
        raw = msgspec.json.encode({**payload, HASH: DEFAULT_HASH})
    except UnicodeEncodeError:
        raise Unsound(Fault.MALFORMED, "the claims hold half of a surrogate pair") from None
    if len(concealment.disclosures) > DISCLOSURES_MAX:
        raise Unsound(Fault.TOO_LARGE, f"over {DISCLOSURES_MAX} claims are to be disclosable")
    return SdJwt((sign_jws(signer, header, raw),), tuple(concealment.disclosures))


def countersign(sd_jwt: SdJwt, signer: Signer, header: Mapping[str, Any] = NO_HEADER) -> SdJwt:
    """Add another signature over the same payload, for the general JSON form.

    Raises:
      Unsound: as `decode_jws`; `KEY`.
    """
    payload = decode_jws(sd_jwt.jwts[0], "the SD-JWT").payload
    return sd_jwt._replace(jwts=(*sd_jwt.jwts, sign_jws(signer, header, payload)))


def _find_all(claims: dict[str, Any], selective: Iterable[Path]) -> set[Place]:
    places: set[Place] = set()
    for path in selective:
        found = find_places(claims, path)
        if not found:
            raise Unsound(
                Fault.MALFORMED, f"{show_place(path)} is to be disclosable, but is not there"
            )
        places.update(found)
    return places


class _Concealment:
    """The disclosures of one SD-JWT while its claims are gone through, inner ones first."""

    def __init__(self, places: set[Place], draw: Callable[[int], bytes], pad_to: int) -> None:
        self.disclosures: list[str] = []
        self._places = places
        self._draw = draw
        self._pad_to = pad_to
        salts = encode_base64url(draw(SALT_BYTES * len(places)))
        self._salts = (
            salts[start : start + SALT_LETTERS] for start in range(0, len(salts), SALT_LETTERS)
        )

    def conceal_object(self, value: dict[str, Any], place: Place) -> dict[str, Any]:
        open_claims: dict[str, Any] = {}
        digests: list[str] = []
        for name, inner in value.items():
            if type(name) is not str or name in RESERVED:
                raise Unsound(Fault.MALFORMED, f"{name!r} cannot be the name of a claim")
            here = (*place, name)
            concealed = self._conceal(inner, here)
            if here in self._places:
                digests.append(self._hide(name, concealed))
            else:
                open_claims[name] = concealed
        if digests:
            digests += [self._draw_decoy() for _ in range(-len(digests) % self._pad_to)]
            open_claims[DIGESTS] = sorted(digests)
        return open_claims

    def _conceal_array(self, value: list[Any], place: Place) -> list[Any]:
        elements: list[Any] = []
        hidden = 0
        for index, inner in enumerate(value):
            here = (*place, index)
            concealed = self._conceal(inner, here)
            if here in self._places:
                concealed = {ELEMENT: self._hide(None, concealed)}
                hidden += 1
            elements.append(concealed)
        for _ in range(-hidden % self._pad_to if hidden else 0):
            # Anywhere: decoys at the end would tell which elements are true ones.
            chance = int.from_bytes(self._draw(_RANDOM_BYTES), "big")
            elements.insert(chance % (len(elements) + 1), {ELEMENT: self._draw_decoy()})
        return elements

    def _conceal(self, value: Any, place: Place) -> Any:  # noqa: ANN401 - any JSON
        kind = type(value)
        if kind in _LEAVES:
            return value
        if kind is int and abs(value) <= SAFE_INTEGER_MAX:
            return value
        if kind is float and math.isfinite(value):
            return value
        if len(place) >= DEPTH_MAX:
            raise Unsound(Fault.TOO_LARGE, f"the claims are nested deeper than {DEPTH_MAX} levels")
        if kind is dict:
            return self.conceal_object(value, place)
        if kind is list:
            return self._conceal_array(value, place)
        raise Unsound(
            Fault.MALFORMED,
            f"{show_place(place)} is no JSON that every reader takes alike: use text, objects, "
            "lists, true, false, null, or numbers within 2^53",
        )

    def _hide(self, name: str | None, value: Any) -> str:  # noqa: ANN401 - any JSON
        text = write_disclosure(next(self._salts), name, value)
        self.disclosures.append(text)
        return compute_digest(text, DEFAULT_HASH)

    def _draw_decoy(self) -> str:
        return compute_digest(self._draw(SALT_BYTES).hex(), DEFAULT_HASH)
