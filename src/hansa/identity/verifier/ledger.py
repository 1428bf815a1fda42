"""A registry that answers a verifier from the ledger's rows.

The rows may be those of a node itself, or rows that a node proved: the answers are then as good as
the header under which they were proven.

Source: docs/concepts/identity.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hansa.contracts.identity import accreditation, evidence, status
from hansa.contracts.identity.resolution import resolve
from hansa.identity.encoding.timestamp import write_timestamp
from hansa.identity.faults import Fault, Unsound
from hansa.identity.methods.did import read_did
from hansa.identity.methods.documents import Relationship
from hansa.identity.methods.hansa import Resolved, read_address, resolve_did_hansa, write_did
from hansa.identity.naming import read_list_url, read_type
from hansa.identity.status.reference import StatusReference
from hansa.identity.verifier.registry import CredentialStatus, IssuerKey, Standing
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import NotFound
from hansa.kernel.rows import Rows

CHANGES_MAX = 256
"""Of a DID document that are looked through for the end of a key."""

_FAULTS = {
    accreditation.Fault.NEVER: "was never accredited",
    accreditation.Fault.NOT_YET: "was not accredited yet",
    accreditation.Fault.EXPIRED: "was accredited no longer",
    accreditation.Fault.SUSPENDED: "was suspended",
    accreditation.Fault.REVOKED: "was no longer entitled: its accreditation was revoked",
}


class LedgerRegistry:
    """Answers from rows.

    Args:
      rows: of the ledger.
      network: its name.
      now_ms: gives the present, by which what is on record has ended or not.
      as_of_ms: when the rows were so; now, where it is not given.
    """

    def __init__(
        self, rows: Rows, network: str, now_ms: Callable[[], int], as_of_ms: int | None = None
    ) -> None:
        self._rows = rows
        self._network = network
        self._now_ms = now_ms
        self._as_of_ms = as_of_ms

    async def find_issuer_key(
        self, issuer: str | None, header: Mapping[str, Any], time_ms: int
    ) -> IssuerKey:
        """Find the key of an issuer that is known by its DID, as it was at a time.

        Raises:
          Unsound: `ISSUER`: it names itself by no DID; `UNRESOLVED` or `KEY`.
        """
        if not isinstance(issuer, str) or not issuer.startswith("did:hansa:"):
            raise Unsound(
                Fault.ISSUER, "the issuer does not name itself by a DID of this network (iss)"
            )
        now_ms = self._now_ms()
        present = self._resolve(issuer, now_ms, None)
        # What delegates may sign can change without a change of this document.
        is_as_then = present.found.updated_ms <= time_ms and not present.found.content.delegates
        then = present if is_as_then else self._resolve(issuer, now_ms, time_ms)
        kid = header.get("kid")
        if not isinstance(kid, str):
            raise Unsound(Fault.KEY, "the header does not say which of the issuer's keys signed")
        key = then.document.find_key(kid, Relationship.ASSERTION)
        url = issuer + kid if kid.startswith("#") else kid
        still = dict(present.document.list_keys(Relationship.ASSERTION))
        if still.get(url) == key:
            return IssuerKey(issuer, key)
        return IssuerKey(issuer, key, self._find_end_ms(issuer, url, then, time_ms, now_ms))

    async def find_standing(self, issuer: str, credential_type: str, time_ms: int) -> Standing:
        """Find whether an issuer was accredited for a type at a time.

        Raises:
          Unsound: `TYPE`: it is no type of this network.
        """
        name, _ = read_type(credential_type, self._network)
        address = read_address(read_did(issuer), self._network)
        found = accreditation.find_standing(self._rows, address, name, time_ms)
        if found.fault is None:
            by = found.chain[0].granter
            giver = "the network" if by == accreditation.NETWORK else write_did(self._network, by)
            since = write_timestamp(found.since_ms)
            text = f"{giver} has accredited it for {name} since {since}"
            lost_ms = found.suspended_since_ms or self._find_loss_ms(address, name)
            return Standing(True, text, lost_ms)  # noqa: FBT003 - a field
        who = "the issuer" if found.at == address else f"{to_text(found.at)} above it"
        what = _FAULTS.get(found.fault, "could not accredit so deep")
        when = f" (since {write_timestamp(found.since_ms)})" if found.since_ms else ""
        return Standing(False, f"{who} {what} for {name}{when}")  # noqa: FBT003 - a field

    def _find_loss_ms(self, address: bytes, name: str) -> int:
        """Find since when an issuer is accredited no longer, and could date back; 0 if it is."""
        present = accreditation.find_standing(self._rows, address, name, self._now_ms())
        return 0 if present.fault is None else max(present.since_ms, 1)

    async def get_status(self, issuer: str, reference: StatusReference) -> CredentialStatus:
        """Get the status of a credential from the issuer's own list, as of these rows.

        Raises:
          Unsound: `STATUS`: another's list, no list of the ledger, or no such place in it.
        """
        name = read_list_url(reference.uri)
        if name.issuer != read_address(read_did(issuer), self._network):
            raise Unsound(Fault.STATUS, "the status list is that of another issuer")
        found = status.get_status(self._rows, name.issuer, name.number, reference.index)
        if found is None:
            raise Unsound(
                Fault.STATUS,
                f"the issuer has no place {reference.index} in a status list {name.number}",
            )
        as_of_ms = self._now_ms() if self._as_of_ms is None else self._as_of_ms
        return CredentialStatus(int(found), as_of_ms)

    async def find_anchor_ms(self, issuer: str, digest: bytes) -> int | None:
        """Find when the issuer put the hash of a credential on record, alone."""
        address = read_address(read_did(issuer), self._network)
        found = evidence.get_evidence(self._rows, address, digest)
        return None if found is None or found.revoked_ms else found.since_ms

    def _find_end_ms(self, issuer: str, url: str, then: Resolved, then_ms: int, now_ms: int) -> int:
        """Find when a key that was there at a time was replaced.

        After very many changes, it is that of the last one looked at: a time before the end.
        """
        found, at_ms = then, then_ms
        for _ in range(CHANGES_MAX):
            next_ms = self._find_change_ms(found, url, at_ms)
            if not next_ms or next_ms > now_ms:
                break
            at_ms = next_ms
            found = self._resolve(issuer, now_ms, at_ms)
            if url not in dict(found.document.list_keys(Relationship.ASSERTION)):
                break
        return at_ms

    def _find_change_ms(self, resolved: Resolved, url: str, at_ms: int) -> int:
        """Find when next something changed that decides about a key, a delegate's too; 0: never."""
        ends_ms = [resolved.found.next_update_ms]
        for each in resolved.found.content.delegates:
            if url.partition("#")[0] == write_did(self._network, each.address):
                theirs = resolve(self._rows, each.address, at_ms)
                ends_ms += [each.until_ms, theirs.next_update_ms if theirs else 0]
        return min((each for each in ends_ms if each > at_ms), default=0)

    def _resolve(self, issuer: str, now_ms: int, at_ms: int | None) -> Resolved:
        try:
            return resolve_did_hansa(self._rows, self._network, read_did(issuer), now_ms, at_ms)
        except NotFound as error:
            raise Unsound(Fault.UNRESOLVED, error.message) from None
