"""Matching: which of a holder's credentials answer a query, showing as little as possible.

The same rules serve both sides: a wallet selects by them, a verifier checks what came. Of the
combinations of claims that would do, the one with the fewest is taken, and of equals the one that
the verifier prefers.

Source: OpenID4VP 1.0, sections 6.4.1, 6.4.2 and 7, and appendix B (types by format).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from hansa.identity.dcql.queries import ClaimQuery, CredentialQuery, CredentialSet, Path, Query
from hansa.identity.faults import Unsound
from hansa.identity.jose.claims import show_claim
from hansa.identity.sd_jwt.paths import find_places

ALL_SHOWN = "all that must show"
LETTERS_MAX = 100
SD_JWT_FORMATS = ("dc+sd-jwt", "vc+sd-jwt")


class Candidate(NamedTuple):
    """A credential that might answer: one that is held, or one that was presented."""

    id: str
    format: str
    types: frozenset[str]
    """`vct` and its kin, `doctype`, or the types of a VCDM credential, as written and expanded."""
    claims: dict[str, Any]
    """What it says; of an mdoc, elements by namespace."""
    is_bound: bool
    """Whether the holder can prove, or has proven, to have its key."""


class Match(NamedTuple):
    """A credential that answers, and the claims that it must show for that."""

    candidate: Candidate
    paths: tuple[Path, ...]


class Selection(NamedTuple):
    """What to present, by the id of its query; and what is missing, in words."""

    matches: Mapping[str, Match]
    missing: tuple[str, ...]


def match(query: CredentialQuery, candidate: Candidate) -> Match | None:
    """Match one credential with the query of one, or tell that it does not answer."""
    if query.require_cryptographic_holder_binding and not candidate.is_bound:
        return None
    if not _is_of_format(query.format, candidate.format) or not _is_of_type(query, candidate):
        return None
    # Each claim is looked for once, however many of the options name it.
    met = {claim.path for claim in query.claims or () if _is_met(claim, candidate.claims)}
    options = [
        option for option in query.list_options() if all(claim.path in met for claim in option)
    ]
    if not options:
        return None
    chosen = min(options, key=len)
    return Match(candidate, tuple(claim.path for claim in chosen))


def count_paths(made: Match) -> int:
    """Count the claims that a match was asked for."""
    return len(made.paths)


def select(
    query: Query, candidates: Sequence[Candidate], weigh: Callable[[Match], int] = count_paths
) -> Selection:
    """Select what answers all that is required, and nothing that is not.

    Optional needs are left out: whoever wants to meet them asks for those queries alone.

    Args:
      query: what is asked for.
      candidates: what there is; of those that weigh the same the first is selected.
      weigh: tells how much a match shows, which may be more than was asked for.
    """
    weights: dict[str, int] = {}
    found: dict[str, Match] = {}
    for each in query.credentials:
        matches = [made for one in candidates if (made := match(each, one)) is not None]
        if matches:
            weighed = [(weigh(made), number) for number, made in enumerate(matches)]
            weights[each.id], number = min(weighed)
            found[each.id] = matches[number]
    chosen: dict[str, Match] = {}
    missing: list[str] = []
    for need in query.list_needs():
        options = [option for option in need.options if all(name in found for name in option)]
        if not need.required:
            continue
        if not options:
            missing.append(_tell_missing(need))
            continue
        best = min(options, key=lambda option: sum(weights[name] for name in option))
        chosen |= {name: found[name] for name in best}
    return Selection({} if missing else chosen, tuple(missing))


def find_gaps(query: Query, presented: Mapping[str, Sequence[Candidate]]) -> list[str]:
    """Find in words what of an answer does not fit the query, as a verifier; none if it does."""
    gaps: list[str] = []
    for query_id, candidates in presented.items():
        each = query.find(query_id)
        if each is None:
            gaps.append(f"{show_claim(query_id)} was not asked for")
            continue
        if not candidates or (len(candidates) > 1 and not each.multiple):
            gaps.append(f"{query_id}: {len(candidates)} credentials where one was asked for")
        gaps += [
            f"{query_id}: it does not have the type, binding and claims that were asked for"
            for candidate in candidates
            if match(each, candidate) is None
        ]
    gaps += [
        _tell_missing(need)
        for need in query.list_needs()
        if need.required
        and not any(all(name in presented for name in option) for option in need.options)
    ]
    return gaps


def list_asked(query: Query) -> list[str]:
    """List in words what a query asks for, each credential by itself."""
    return [
        f"{_tell_types(each)}: {', '.join(map(_tell_claim, each.claims or ())) or ALL_SHOWN}"
        for each in query.credentials
    ]


def _tell_types(query: CredentialQuery) -> str:
    meta, alternatives = query.meta, query.meta.get("type_values")
    names = _texts(meta.get("vct_values")) or _texts([meta.get("doctype_value")])
    for each in alternatives if isinstance(alternatives, list) else ():
        names += [" and ".join(_texts(each))]
    return " or ".join(_show(name) for name in names if name) or _show(query.format)


def _tell_claim(claim: ClaimQuery) -> str:
    name = ".".join("*" if part is None else str(part) for part in claim.path)
    values = " or ".join(msgspec.json.encode(each).decode() for each in claim.values or ())
    return _show(name) + (f" ({_show(values)})" if values else "")


def _show(text: str) -> str:
    """Shorten what a stranger wrote, without signs that change how text is read."""
    shown = "".join(letter for letter in text[:LETTERS_MAX] if letter.isprintable())
    return shown if len(text) <= LETTERS_MAX else f"{shown}…"


def _is_of_format(wanted: str, found: str) -> bool:
    return wanted == found or (wanted in SD_JWT_FORMATS and found in SD_JWT_FORMATS)


def _is_of_type(query: CredentialQuery, candidate: Candidate) -> bool:
    """Whether a credential has a type that is asked for; a query may ask for none."""
    meta = query.meta
    if "vct_values" in meta:
        return bool(candidate.types.intersection(_texts(meta["vct_values"])))
    if "doctype_value" in meta:
        return bool(candidate.types.intersection(_texts([meta["doctype_value"]])))
    if "type_values" in meta:
        alternatives = meta["type_values"]
        return isinstance(alternatives, list) and any(
            bool(_texts(each)) and candidate.types.issuperset(_texts(each)) for each in alternatives
        )
    return True


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _is_met(claim: ClaimQuery, claims: dict[str, Any]) -> bool:
    try:
        places = find_places(claims, claim.path)
    except Unsound:
        return False
    if claim.values is None:
        return bool(places)
    return any(_is_among(_look_up(claims, place), claim.values) for place in places)


def _look_up(claims: Any, place: Sequence[str | int]) -> Any:  # noqa: ANN401 - any JSON
    for part in place:
        claims = claims[part]
    return claims


def _is_among(value: object, values: Sequence[str | int | bool]) -> bool:
    """Whether a value is one of those, of the same type: true is not 1."""
    return any(type(value) is type(each) and value == each for each in values)


def _tell_missing(need: CredentialSet) -> str:
    options = " or ".join(" and ".join(option) for option in need.options)
    return f"no credentials for {options}"
