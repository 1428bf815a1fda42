"""Checking: whether an issuer has taken back what a wallet holds, by its status list.

A wallet asks for the whole list, as verifiers do: its issuer learns that somebody asked, not about
which credential. The key of the list is looked up as the issuer's, by its DID.

Source: Token Status List (draft-ietf-oauth-status-list), section 8.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.jws import decode_jws
from hansa.identity.methods.did import read_did
from hansa.identity.methods.documents import DidDocument, Relationship
from hansa.identity.methods.hansa import read_address
from hansa.identity.naming import read_list_url
from hansa.identity.sd_jwt.credential import TYPE
from hansa.identity.sd_jwt.presentation import open_issued
from hansa.identity.sd_jwt.serialization import decode_sd_jwt
from hansa.identity.status.reference import StatusReference, read_status
from hansa.identity.status.token_list import TokenList, verify_jwt_list
from hansa.identity.verifier.registry import INVALID, SUSPENDED, VALID, CredentialStatus
from hansa.identity.wallet.conversation import OK_MAX, OK_MIN, Conversation, get
from hansa.identity.wallet.holdings import Holding
from hansa.node.identity.holder.carrying import Carrier
from hansa.sdk.client import Client
from hansa.sdk.identity.questions import StatusQuestion

ACCEPT = "application/statuslist+jwt"
VALID_WORD = "not taken back"
_WORDS = {INVALID: "revoked", SUSPENDED: "suspended", VALID: VALID_WORD}
_LIST = "the status list"

ReadLedger = Callable[[str, StatusReference], CredentialStatus]
"""Reads the status of a credential of a DID on the ledger from the ledger, proved."""


class Checked(NamedTuple):
    """How the copies of a credential stand."""

    counts: Mapping[int, int]
    """How many, by status: see `hansa.identity.verifier.registry`."""
    as_of_ms: int
    """When the oldest of the lists said so."""

    @property
    def is_valid(self) -> bool:
        """Whether no copy was taken back."""
        return set(self.counts) <= {VALID}

    @property
    def text(self) -> str:
        """The worst of it, in words."""
        total = sum(self.counts.values())
        others = total - sum(self.counts.get(each, 0) for each in _WORDS)
        for value, word in _WORDS.items():
            count = self.counts.get(value, 0)
            if count and value != VALID:
                return word if count == total else f"{count} of {total} copies {word}"
        return (
            f"{others} of {total} copies of a status of the issuer’s own" if others else VALID_WORD
        )


class Checker:
    """Asks for the status of what a wallet holds."""

    def __init__(
        self,
        carrier: Carrier,
        resolve: Callable[[str], DidDocument],
        read_ledger: ReadLedger,
    ) -> None:
        """Know issuers by DIDs that `resolve` knows, and those on the ledger by `read_ledger`."""
        self._carrier = carrier
        self._resolve = resolve
        self._read_ledger = read_ledger

    def check(self, copies: Sequence[Holding]) -> Checked:
        """Check all copies of a credential; each has a place of its own.

        Raises:
          Unsound: a copy has no status list that can be checked here, or its list does not hold.
          Unavailable: the list, or who knows its issuer, does not answer.
        """
        lists: dict[str, TokenList] = {}
        found = [self._check(each, lists) for each in copies]
        return Checked(Counter(each.value for each in found), min(each.as_of_ms for each in found))

    def _check(self, holding: Holding, lists: dict[str, TokenList]) -> CredentialStatus:
        issuer, reference = _read_reference(holding)
        if read_did(issuer).method == "hansa":
            return self._read_ledger(issuer, reference)
        if reference.uri not in lists:
            lists[reference.uri] = self._fetch(issuer, reference.uri)
        found = lists[reference.uri]
        as_of_ms = min(int(found.issued_s) * 1_000, self._carrier.now_ms())  # its clock may be fast
        return CredentialStatus(found.entries.get(reference.index), as_of_ms)

    def _fetch(self, issuer: str, uri: str) -> TokenList:
        token = self._carrier.carry(_fetch_list(uri))
        document = self._resolve(issuer)
        kid = decode_jws(token, _LIST).header.get("kid")
        keys = document.list_keys(Relationship.ASSERTION)
        if isinstance(kid, str):
            key = document.find_key(kid, Relationship.ASSERTION)
        elif len(keys) == 1:
            key = keys[0][1]
        else:
            raise Unsound(Fault.KEY, f"{_LIST} does not say which key of its issuer signed it")
        return verify_jwt_list(token, key, uri, self._carrier.now_ms() // 1_000)


def read_ledger_status(client: Client, issuer: str, reference: StatusReference) -> CredentialStatus:
    """Read a status from the ledger through a node, which proves it.

    Raises:
      Unsound: the list is another's, or has no such place.
      Unavailable: the node does not answer.
    """
    name, network = read_list_url(reference.uri), client.get_network().genesis.network
    if name.issuer != read_address(read_did(issuer), network):
        raise Unsound(Fault.STATUS, f"{_LIST} is that of another issuer")
    found = client.identity.ask(StatusQuestion(name.issuer, name.number, reference.index))
    if found.answer.status is None:
        raise Unsound(Fault.STATUS, f"{_LIST} of the issuer has no place {reference.index}")
    return CredentialStatus(int(found.answer.status), found.header.time_ms)


def _fetch_list(uri: str) -> Conversation[str]:
    response = yield get(uri, ACCEPT)
    if not OK_MIN <= response.status <= OK_MAX:
        raise Unsound(Fault.STATUS, f"there is no status list {uri[:200]}")
    return response.body.decode("ascii", "replace")


def _read_reference(holding: Holding) -> tuple[str, StatusReference]:
    """Read by whom a credential is, and where its status stands."""
    if holding.format != TYPE:
        raise Unsound(Fault.UNSUPPORTED, "only SD-JWT credentials can be checked here")
    claims: Mapping[str, Any] = open_issued(decode_sd_jwt(holding.credential)).claims
    reference, issuer = read_status(claims), claims.get("iss")
    if reference is None:
        raise Unsound(Fault.STATUS, "its issuer keeps no status list for it")
    if not isinstance(issuer, str) or not issuer.startswith("did:"):
        raise Unsound(
            Fault.UNSUPPORTED, "its issuer is known by a certificate: verifiers check its lists"
        )
    return issuer, reference
