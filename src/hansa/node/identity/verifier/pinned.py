"""A registry that answers from a file: issuers that an operator has chosen, and no others.

Status lists are fetched from where the file says that the issuer's lie, and nowhere else, so that
no credential can send this service about.

Source: Token Status List, section 8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout

from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.jwk import read_jwk
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.methods.did import read_did
from hansa.identity.methods.documents import Relationship
from hansa.identity.methods.local import resolve_did_jwk, resolve_did_key
from hansa.identity.status.reference import StatusReference
from hansa.identity.verifier.certified import Roots, is_certified
from hansa.identity.verifier.registry import CredentialStatus, IssuerKey, Standing
from hansa.kernel.errors import Unavailable
from hansa.node.identity.verifier.lists import LIST_BYTES_MAX, FetchList, StatusLists
from hansa.node.identity.verifier.settings import TrustedIssuer

FETCH_S = 10.0
ACCEPT = "application/statuslist+jwt, application/vc, application/vc+jwt"
NO_ROOTS: Mapping[str, Roots] = MappingProxyType({})


class PinnedRegistry:
    """Answers from a table of issuers."""

    def __init__(
        self,
        issuers: Sequence[TrustedIssuer],
        fetch: FetchList,
        clock_ms: Callable[[], int],
        roots: Mapping[str, Roots] = NO_ROOTS,
    ) -> None:
        """Believe these; `roots` are those of the files that they name."""
        self._issuers = {each.id: each for each in issuers}
        self._roots = roots
        self._lists = StatusLists(fetch)
        self._clock_ms = clock_ms

    async def find_issuer_key(
        self, issuer: str | None, header: Mapping[str, Any], time_ms: int
    ) -> IssuerKey:
        """Find the key of an issuer of the table; it is the same at all times.

        Raises:
          Unsound: `ISSUER`: it is not in the table, or its certificate leads to no root of it;
            `KEY`, `UNRESOLVED`, `NOT_YET_VALID`, `EXPIRED`.
        """
        del time_ms
        if is_certified(header):
            return self._find_certified(issuer, header)
        found = self._get(issuer)
        if found.roots:
            raise Unsound(Fault.KEY, f"{found.name} is known here by its certificates (x5c) alone")
        return IssuerKey(*self._find_key(found, header))

    async def find_standing(self, issuer: str, credential_type: str, time_ms: int) -> Standing:
        """Find whether an issuer may issue a type, by the table.

        Raises:
          Unsound: `ISSUER`.
        """
        del time_ms
        found = self._get(issuer)
        if credential_type in found.types:
            return Standing(True, f"{found.name} is believed here for {credential_type}")  # noqa: FBT003
        return Standing(False, f"{found.name} is not believed here for {credential_type}")  # noqa: FBT003

    async def get_status(self, issuer: str, reference: StatusReference) -> CredentialStatus:
        """Get the status of a credential as of its issuer's list, which may be minutes old.

        Raises:
          Unsound: `STATUS`: it lies elsewhere, or has no such place; else as `verify_jwt_list`.
          Unavailable: it cannot be fetched.
        """
        found = self._get(issuer)
        if not found.status or not reference.uri.startswith(found.status):
            raise Unsound(
                Fault.STATUS,
                f"the status list {reference.uri[:120]!r} is none of those of {found.name}",
            )
        find_key = partial(self._find_list_key, found)
        return await self._lists.get(issuer, reference, find_key, self._clock_ms())

    async def find_anchor_ms(self, issuer: str, digest: bytes) -> int | None:
        """Find when a credential was put on record: there is no record."""
        del issuer, digest
        return None

    def _find_certified(self, issuer: str | None, header: Mapping[str, Any]) -> IssuerKey:
        """Find the issuer of the table to one of whose roots the certificates lead."""
        why = Unsound(Fault.ISSUER, "no issuer is known here by such certificates (x5c)")
        # Who is named in the certificate goes before a name of the operator's own, for all of them.
        for each in sorted(self._issuers.values(), key=lambda one: ":" not in one.id):
            if not each.roots or issuer not in (None, each.id):
                continue
            try:
                return IssuerKey(each.id, self._verify_path(each, header))
            except Unsound as error:
                why = error
        raise why

    def _verify_path(self, issuer: TrustedIssuer, header: Mapping[str, Any]) -> PublicKey:
        found = self._roots[issuer.roots].find(header, self._clock_ms())
        if ":" in issuer.id and not found.is_named(issuer.id):
            raise Unsound(Fault.ISSUER, f"the certificate is not made out for {issuer.id[:120]}")
        return found.key

    def _find_list_key(self, issuer: TrustedIssuer, header: dict[str, Any]) -> PublicKey:
        """Find the key that signs an issuer's lists."""
        if issuer.roots:
            return self._verify_path(issuer, header)
        named = {"kid": header["kid"]} if "kid" in header else {}
        return self._find_key(issuer, named)[1]

    def _get(self, issuer: str | None) -> TrustedIssuer:
        found = self._issuers.get(issuer or "")
        if found is None:
            raise Unsound(Fault.ISSUER, f"the issuer {str(issuer)[:120]!r} is not believed here")
        return found

    def _find_key(self, issuer: TrustedIssuer, header: Mapping[str, Any]) -> tuple[str, PublicKey]:
        if issuer.key:
            return issuer.id, read_jwk(issuer.key, f"the key of {issuer.name}")
        did = read_did(issuer.id)
        document = (resolve_did_jwk if did.method == "jwk" else resolve_did_key)(did)
        kid = header.get("kid")
        if isinstance(kid, str):
            return issuer.id, document.find_key(kid, Relationship.ASSERTION)
        for _, key in document.list_keys(Relationship.ASSERTION):
            return issuer.id, key
        raise Unsound(Fault.KEY, f"the key of {issuer.name} does not sign")


async def fetch_list(session: ClientSession, uri: str) -> str:
    """Fetch a status list; no redirects are followed.

    Raises:
      Unsound: `TOO_LARGE`; `STATUS`: there is none.
      Unavailable: it cannot be fetched now.
    """
    try:
        async with session.get(
            uri,
            allow_redirects=False,
            headers={"Accept": ACCEPT},
            timeout=ClientTimeout(total=FETCH_S),
        ) as response:
            if response.status >= 500:  # noqa: PLR2004 - its fault, perhaps not for long
                raise Unavailable(f"the status list {uri} cannot be had: HTTP {response.status}")
            if response.status != 200:  # noqa: PLR2004
                raise Unsound(Fault.STATUS, f"there is no status list {uri}")
            raw = await response.content.read(LIST_BYTES_MAX + 1)
            while len(raw) <= LIST_BYTES_MAX and (more := await response.content.read(1 << 16)):
                raw += more
    except (ClientError, TimeoutError, OSError) as error:
        raise Unavailable(f"the status list {uri} cannot be had: {error}") from None
    if len(raw) > LIST_BYTES_MAX:
        raise Unsound(Fault.TOO_LARGE, f"the status list {uri} has over {LIST_BYTES_MAX} bytes")
    return raw.decode("ascii", "replace")
