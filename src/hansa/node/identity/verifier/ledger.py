"""A registry that asks a node, and believes only what the node proves.

Source: docs/reference/http-api.md, proofs about identity.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from hansa.contracts.identity.resolution import resolve
from hansa.identity.faults import Fault, Unsound
from hansa.identity.methods.did import read_did
from hansa.identity.methods.hansa import read_address
from hansa.identity.naming import read_list_url, read_type
from hansa.identity.status.reference import StatusReference
from hansa.identity.verifier.certified import Roots, is_certified
from hansa.identity.verifier.ledger import LedgerRegistry
from hansa.identity.verifier.registry import CredentialStatus, IssuerKey, Standing
from hansa.kernel.errors import Invalid, Unavailable
from hansa.node.service import wall_clock_ms
from hansa.sdk.async_client import AsyncClient
from hansa.sdk.identity.proofs import ProvenRows
from hansa.sdk.identity.questions import (
    AnyQuestion,
    DidQuestion,
    EvidenceQuestion,
    StandingQuestion,
    StatusQuestion,
)

T = TypeVar("T")

VERSIONS_MAX = 64
"""Of a DID document that are asked for to find when a key was replaced."""


class NodeRegistry:
    """Answers by the ledger of one node; as of its newest checkpoint, seconds ago."""

    def __init__(self, client: AsyncClient, roots: Roots | None = None) -> None:
        """Ask this node; `roots` are of issuers' certificates that name their DIDs."""
        self._client = client
        self._roots = roots

    async def find_issuer_key(
        self, issuer: str | None, header: Mapping[str, Any], time_ms: int
    ) -> IssuerKey:
        """Find the key of an issuer that is known by its DID, as it was at a time.

        Raises:
          Unsound: `ISSUER`, `UNRESOLVED` or `KEY`.
          Unavailable: the node does not answer, or proves nothing.
        """
        network = await self._name_network()
        if is_certified(header):
            return self._find_certified(issuer, header, network)
        if not isinstance(issuer, str) or not issuer.startswith("did:hansa:"):
            raise Unsound(
                Fault.ISSUER, "the issuer does not name itself by a DID of this network (iss)"
            )
        address = read_address(read_did(issuer), network)
        questions = [DidQuestion(address), DidQuestion(address, time_ms)]
        while True:
            rows = await self._prove(*questions)
            registry = _read(rows, network)
            try:
                return await registry.find_issuer_key(issuer, header, time_ms)
            except Unsound:
                raise
            except Invalid:  # it rests on a later version of the document than was proved
                found = resolve(rows, address, questions[-1].time_ms)
                if found is None or not found.next_update_ms or len(questions) > VERSIONS_MAX:
                    raise Unavailable("the node does not prove when the key was replaced") from None
                questions.append(DidQuestion(address, found.next_update_ms))

    async def find_standing(self, issuer: str, credential_type: str, time_ms: int) -> Standing:
        """Find whether an issuer was accredited for a type at a time.

        Raises:
          Unsound: `TYPE`.
          Unavailable: the node does not answer, or proves nothing.
        """
        network = await self._name_network()
        name, _ = read_type(credential_type, network)
        address = read_address(read_did(issuer), network)
        rows = await self._prove(StandingQuestion(address, name, time_ms))
        return await _read(rows, network).find_standing(issuer, credential_type, time_ms)

    async def get_status(self, issuer: str, reference: StatusReference) -> CredentialStatus:
        """Get the status of a credential from the issuer's own list, as of the proof.

        Raises:
          Unsound: `STATUS`.
          Unavailable: the node does not answer, or proves nothing.
        """
        network, name = await self._name_network(), read_list_url(reference.uri)
        rows = await self._prove(_ask_status(name.issuer, name.number, reference.index))
        return await _read(rows, network).get_status(issuer, reference)

    async def find_anchor_ms(self, issuer: str, digest: bytes) -> int | None:
        """Find when the issuer put the hash of a credential on record; None if it did not.

        Raises:
          Unavailable: the node does not answer, or proves nothing.
        """
        network = await self._name_network()
        address = read_address(read_did(issuer), network)
        rows = await self._prove(EvidenceQuestion(address, digest))
        return await _read(rows, network).find_anchor_ms(issuer, digest)

    def _find_certified(
        self, issuer: str | None, header: Mapping[str, Any], network: str
    ) -> IssuerKey:
        """Find who signed by its certificates: a DID of the network that they are made out for."""
        if self._roots is None:
            raise Unsound(
                Fault.ISSUER, "issuers are not known here by certificates (x5c): no roots are set"
            )
        found = self._roots.find(header, wall_clock_ms())
        for uri in found.uris:
            if uri.startswith(f"did:hansa:{network}:") and issuer in (None, uri):
                read_address(read_did(uri), network)
                return IssuerKey(uri, found.key)
        raise Unsound(
            Fault.ISSUER,
            "the issuer's certificate is made out for no DID of this network (a URI among its "
            "alternative names), so that nobody can tell whether it is accredited",
        )

    async def _name_network(self) -> str:
        network = await _asking(self._client.get_network)
        return network.genesis.network

    async def _prove(self, *questions: AnyQuestion) -> ProvenRows:
        return await _asking(lambda: self._client.identity.prove(list(questions)))


def _read(rows: ProvenRows, network: str) -> LedgerRegistry:
    """Read proven rows as of now: what ended since the header that proves them has ended."""
    proven_ms = rows.header.time_ms
    return LedgerRegistry(rows, network, lambda: max(proven_ms, wall_clock_ms()), proven_ms)


async def _asking(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask; what a node says wrongly is no answer about the credential."""
    try:
        return await ask()
    except Unavailable:
        raise
    except Invalid as error:
        raise Unavailable(f"the node gives no answer that counts: {error.message}") from None


def _ask_status(issuer: bytes, number: int, index: int) -> StatusQuestion:
    if not 0 <= index < 1 << 31:
        raise Unsound(Fault.STATUS, f"no status list has a place {index}")
    return StatusQuestion(issuer, number, index)
