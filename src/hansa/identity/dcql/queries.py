"""Queries: which credentials a verifier asks for, and which claims of each.

Source: OpenID4VP 1.0, sections 6.1 to 6.4 and 7.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from hansa.identity.faults import Fault, Unsound
from hansa.shapes import tell_shape

CREDENTIALS_MAX = 16
CLAIMS_MAX = 64
SETS_MAX = 32
PARTS_MAX = 16
VALUES_MAX = 256

Identifier = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z")]
Part = Annotated[int, Meta(ge=0, le=1_000_000)] | str | None
Path = tuple[str | int | None, ...]


class ClaimQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A claim that is asked for."""

    path: Annotated[tuple[Part, ...], Meta(min_length=1, max_length=PARTS_MAX)]
    id: Identifier | None = None
    values: (
        Annotated[tuple[str | int | bool, ...], Meta(min_length=1, max_length=VALUES_MAX)] | None
    ) = None
    """Only if it has one of these."""


class Authorities(msgspec.Struct, frozen=True, kw_only=True):
    """Who must have certified the issuer, so that wallets need not show what will be refused."""

    type: str
    values: Annotated[tuple[str, ...], Meta(min_length=1, max_length=VALUES_MAX)]


Alternatives = Annotated[
    tuple[Annotated[tuple[Identifier, ...], Meta(min_length=1, max_length=CLAIMS_MAX)], ...],
    Meta(min_length=1, max_length=SETS_MAX),
]


class CredentialQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A credential that is asked for."""

    id: Identifier
    format: str
    meta: dict[str, Any]
    multiple: bool = False
    trusted_authorities: (
        Annotated[tuple[Authorities, ...], Meta(min_length=1, max_length=SETS_MAX)] | None
    ) = None
    require_cryptographic_holder_binding: bool = True
    claims: Annotated[tuple[ClaimQuery, ...], Meta(min_length=1, max_length=CLAIMS_MAX)] | None = (
        None
    )
    claim_sets: Alternatives | None = None

    def list_options(self) -> list[tuple[ClaimQuery, ...]]:
        """List the combinations of claims that answer it, the one preferred first."""
        claims = self.claims or ()
        if self.claim_sets is None:
            return [claims]
        named = {each.id: each for each in claims}
        return [tuple(named[name] for name in option) for option in self.claim_sets]


class CredentialSet(msgspec.Struct, frozen=True, kw_only=True):
    """A need that one of several sets of credentials meets."""

    options: Alternatives
    required: bool = True


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What a verifier asks for."""

    credentials: Annotated[
        tuple[CredentialQuery, ...], Meta(min_length=1, max_length=CREDENTIALS_MAX)
    ]
    credential_sets: (
        Annotated[tuple[CredentialSet, ...], Meta(min_length=1, max_length=SETS_MAX)] | None
    ) = None

    def find(self, query_id: str) -> CredentialQuery | None:
        """Find the query of one credential."""
        return next((each for each in self.credentials if each.id == query_id), None)

    def list_needs(self) -> tuple[CredentialSet, ...]:
        """List the needs to be met; without sets, each credential is one."""
        if self.credential_sets is not None:
            return self.credential_sets
        return tuple(CredentialSet(options=((each.id,),)) for each in self.credentials)


def read_query(value: Any) -> Query:  # noqa: ANN401 - a decode edge
    """Read and check a query; properties that are not known are ignored.

    Raises:
      Unsound: `MALFORMED`, `DUPLICATE` or `TOO_LARGE`.
    """
    try:
        query = msgspec.convert(value, Query)
    except msgspec.ValidationError as error:
        raise Unsound(Fault.MALFORMED, f"this is no DCQL query: {tell_shape(error)}") from None
    _require_each_once([each.id for each in query.credentials], "credentials")
    for credential in query.credentials:
        _check_credential(credential)
    known = {each.id for each in query.credentials}
    for each in query.credential_sets or ():
        for option in each.options:
            _require_known(option, known, "credential_sets")
    return query


def write_query(query: Query) -> dict[str, Any]:
    """Write a query as the JSON object that wallets read, without what is left at its default."""
    found: dict[str, Any] = _drop_defaults(msgspec.to_builtins(query))
    return found


def _check_credential(query: CredentialQuery) -> None:
    what = f"credential {query.id}"
    if query.claims is None:
        if query.claim_sets is not None:
            raise Unsound(Fault.MALFORMED, f"{what} has claim_sets without claims")
        return
    ids = [each.id for each in query.claims if each.id is not None]
    _require_each_once(ids, f"claims of {what}")
    for option in query.claim_sets or ():
        _require_known(option, set(ids), f"claim_sets of {what}")
    if len({each.path for each in query.claims}) < len(query.claims):
        raise Unsound(Fault.DUPLICATE, f"{what} asks for the same claim twice")


def _require_each_once(names: list[str], what: str) -> None:
    if len(set(names)) < len(names):
        raise Unsound(Fault.DUPLICATE, f"an id stands twice among the {what} of the query")


def _require_known(names: tuple[str, ...], known: set[str], what: str) -> None:
    for name in names:
        if name not in known:
            raise Unsound(Fault.MALFORMED, f"{what} names {name!r}, which the query does not have")


_DEFAULTS = {"multiple": False, "require_cryptographic_holder_binding": True, "required": True}


def _drop_defaults(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, list | tuple):
        return [_drop_defaults(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: inner if name == "meta" else _drop_defaults(inner)
        for name, inner in value.items()
        if inner is not None and (name not in _DEFAULTS or inner != _DEFAULTS[name])
    }
