"""A form for what a verifier asks: a type and its claims, or a query as DCQL has it.

Source: OpenID4VP 1.0, sections 6 and 7, appendices B.2.3 and B.3.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from hansa.identity.dcql.queries import Query, read_query
from hansa.identity.encoding.strict_json import decode_object
from hansa.identity.faults import Unsound
from hansa.node.identity.verifier.settings import TrustedIssuer

SD_JWT, MDOC = "dc+sd-jwt", "mso_mdoc"
CLAIM = "claim."
QUERY_ID = "credential"
QUERY_BYTES_MAX = 1 << 16
DIGITS_MAX = 6

Path = tuple[str | int | None, ...]


class KnownType(NamedTuple):
    """A type of credentials that the settings name, and what is known of it."""

    format: str
    name: str
    """`vct`, or `doctype`."""
    claims: tuple[str, ...]
    """Paths as they are typed."""


class Wanted(NamedTuple):
    """What was typed."""

    query: Query | None
    """None if there are faults."""
    faults: dict[str, str]
    """By the name of the field."""


def list_types(queries: Iterable[Query], issuers: Iterable[TrustedIssuer]) -> dict[str, KnownType]:
    """List the types that questions ask for, or issuers may issue, by their names."""
    found: dict[str, KnownType] = {}
    for query in queries:
        for each in query.credentials:
            doctype = each.meta.get("doctype_value")
            names = [doctype] if doctype else each.meta.get("vct_values", [])
            claims = [write_path(claim.path, each.format) for claim in each.claims or ()]
            for name in map(str, names):
                before = found[name].claims if name in found else ()
                after = tuple(dict.fromkeys((*before, *claims)))
                found[name] = KnownType(each.format, name, after)
    for issuer in issuers:
        for name in issuer.types:
            found.setdefault(name, KnownType(SD_JWT, name, ()))
    return found


def read_wanted(form: Mapping[str, str]) -> Wanted:
    """Read what is wanted; a query in DCQL goes before the fields."""
    raw = form.get("dcql", "").strip()
    if raw:
        return _read(lambda: decode_object(raw, "the query", QUERY_BYTES_MAX), "dcql")
    name = form.get("type", "").strip()
    if not name:
        return Wanted(None, {"type": "name the type of credential, or paste a query below"})
    kind = form.get("format", SD_JWT)
    ticked = [each.removeprefix(CLAIM) for each in form if each.startswith(CLAIM)]
    typed = [line.strip() for line in form.get("claims", "").splitlines() if line.strip()]
    paths = dict.fromkeys(read_path(each, kind, name) for each in (*ticked, *typed))
    credential: dict[str, Any] = {
        "id": QUERY_ID,
        "format": kind,
        "meta": {"doctype_value": name} if kind == MDOC else {"vct_values": [name]},
    }
    if paths:
        credential["claims"] = [{"path": list(path)} for path in paths]
    return _read(lambda: {"credentials": [credential]}, "claims")


def read_path(text: str, kind: str, name: str) -> Path:
    """Read a path as it is typed: `address.country`, `degrees.*.year`, `namespace/element`."""
    if kind == MDOC:
        namespace, slash, element = text.rpartition("/")
        return (namespace if slash else name, element)
    return tuple(_read_part(part) for part in text.split("."))


def write_path(path: Path, kind: str) -> str:
    """Write a path as it is typed."""
    joint = "/" if kind == MDOC else "."
    return joint.join("*" if part is None else str(part) for part in path)


def _read_part(text: str) -> str | int | None:
    if text == "*":
        return None
    is_number = text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX
    return int(text) if is_number else text


def _read(build: Any, field: str) -> Wanted:  # noqa: ANN401 - what gives a query's JSON
    try:
        return Wanted(read_query(build()), {})
    except Unsound as error:
        return Wanted(None, {field: error.message})
