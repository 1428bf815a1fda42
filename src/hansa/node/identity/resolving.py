"""Resolving DIDs of every method that is known: from the ledger, the web, or themselves."""

from __future__ import annotations

from collections.abc import Callable

from hansa.identity.faults import Fault, Unsound
from hansa.identity.methods.did import read_did
from hansa.identity.methods.documents import DidDocument
from hansa.identity.methods.hansa import resolve_did_hansa
from hansa.identity.methods.local import resolve_did_jwk, resolve_did_key
from hansa.identity.methods.web import Fetch, resolve_did_web
from hansa.identity.methods.webvh import resolve_did_webvh
from hansa.kernel.rows import Rows

METHODS = ("hansa", "key", "jwk", "web", "webvh")


class Resolver:
    """Resolves DIDs now, or as they were where the method keeps a history."""

    def __init__(
        self, rows: Rows | None, network: str, fetch: Fetch, now_ms: Callable[[], int]
    ) -> None:
        """Read the ledger's own DIDs from `rows`, if there are any, others by `fetch`."""
        self._rows = rows
        self._network = network
        self._fetch = fetch
        self._now_ms = now_ms

    async def resolve(self, text: str, at_ms: int | None = None) -> DidDocument:
        """Resolve a DID.

        Raises:
          Unsound: `UNSUPPORTED`: of another method, or of one without history at a moment past; and
            as the method's own function raises.
          Unavailable: a web server does not answer now.
        """
        did, now_ms = read_did(text), self._now_ms()
        if did.method == "hansa" and self._rows is not None:
            return resolve_did_hansa(self._rows, self._network, did, now_ms, at_ms).document
        if did.method == "webvh":
            found = await resolve_did_webvh(did, self._fetch, now_ms, at_ms)
            return found.document
        if did.method == "key":
            return resolve_did_key(did)
        if did.method == "jwk":
            return resolve_did_jwk(did)
        if did.method != "web":
            known = ", ".join(METHODS if self._rows is not None else METHODS[1:])
            raise Unsound(
                Fault.UNSUPPORTED, f"DIDs of the method {did.method[:40]!r} are not known: {known}"
            )
        if at_ms is not None:
            raise Unsound(Fault.UNSUPPORTED, f"{did} has no history: did:web says only what is now")
        return await resolve_did_web(did, self._fetch)
