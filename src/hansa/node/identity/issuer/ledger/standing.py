"""What must stand on the ledger before an issuer is believed, and since when it does stand there.

Source: docs/concepts/identity.md, verification.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

from hansa.identity.faults import Unsound
from hansa.identity.verifier.registry import Registry
from hansa.kernel.errors import Invalid, InvalidCode, NotFound, Refused, Unavailable
from hansa.node.identity.issuer.service import IssuerService
from hansa.node.identity.issuer.settings import CredentialKind, Settings
from hansa.node.identity.issuer.times import compute_start
from hansa.node.service import wall_clock_ms
from hansa.program import name_program

CHECK_S = 60.0
"""How often it is checked while a service runs."""
GAP_MS = 5 * 60_000
"""After so long without an answer nobody knows how an issuer stood meanwhile."""


async def check_standing(
    service: IssuerService, registry: Registry, time_ms: int, kinds: Iterable[CredentialKind]
) -> dict[str, str]:
    """Check an issuer as verifiers do; returns what keeps them from believing it, by ids of kinds.

    Raises:
      Invalid: the key that signs is not the issuer's by its DID document.
      Unavailable: the ledger does not answer.
    """
    settings, identity = service.settings, service.identity
    check = _Check(registry, settings.did, time_ms)
    own_id = identity.header["kid"]
    if why := await check.find_fault(own_id, identity.signer.public_key):
        raise _wrong(settings, why)
    doubts: dict[str, str] = {}
    for kind in kinds:
        signed = service.writer.find_signer(kind)
        why = ""
        if signed.key_id not in ("", own_id):
            why = await check.find_fault(signed.key_id, signed.key)
        if why:
            doubts[kind.id] = f"{signed.key_id} is not the key that signs it: {why}"
        elif why := await check.find_doubt(kind.type):
            doubts[kind.id] = why
    return {each: f"credential {each}: {why}" for each, why in doubts.items()}


class _Check(NamedTuple):
    """Questions about one issuer as of a time."""

    registry: Registry
    did: str
    time_ms: int

    async def find_fault(self, key_id: str, key: object) -> str:
        """Find why a key is not the issuer's; empty if it is."""
        try:
            found = await self.registry.find_issuer_key(self.did, {"kid": key_id}, self.time_ms)
        except Unsound as error:
            return error.message
        if found.key != key:
            return "its document has another key under that name"
        return "its document has that key no longer" if found.replaced_since_ms else ""

    async def find_doubt(self, credential_type: str) -> str:
        """Find why it may not issue a type; empty if it may."""
        try:
            standing = await self.registry.find_standing(self.did, credential_type, self.time_ms)
        except Unsound as error:
            return error.message
        if not standing.is_accredited or standing.lost_since_ms:
            return f"verifiers will not believe it, as {standing.text}"
        return ""


class StandingWatch:
    """Sees since when an issuer has stood on the ledger, and warns once of what it has lost.

    What was seen is kept in memory; a service that starts anew asks again. While no node answers
    it stays as it was: an issuer does not lose its standing by that, and its times shall not begin
    to tell the second because a line is cut. But what is seen after a long silence begins anew, as
    a suspension within it would not have been seen.

    Args:
      service: whose times follow from what is seen.
      registry: as verifiers ask it.
      warn: gets what keeps verifiers from believing the issuer, each time that it is new.
      clock_ms: the wall clock, by which the service issues.
    """

    def __init__(
        self,
        service: IssuerService,
        registry: Registry,
        warn: Callable[[str], None],
        clock_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self._service = service
        self._registry = registry
        self._warn = warn
        self._clock_ms = clock_ms
        self._since: dict[str, int] = {}
        self._checked_ms = 0
        self._told: frozenset[str] = frozenset()

    async def watch(self, pause: Callable[[float], Awaitable[None]]) -> None:
        """Check for good, now and then; `pause` waits so many seconds."""
        while True:
            await pause(CHECK_S)
            try:
                await self.check()
            except Invalid as error:
                self._tell([error.message])
            except (NotFound, Refused, Unavailable):
                continue  # the node does not answer, or is none: what was seen was seen

    async def check(self) -> None:
        """Check once.

        Raises:
          Invalid: the key that signs is not the issuer's: nothing that it signs is believed.
          Unavailable: the ledger does not answer.
        """
        now_ms = self._clock_ms()
        kinds = self._service.settings.credentials
        try:
            doubts = await check_standing(self._service, self._registry, now_ms, kinds)
        except Invalid:
            self._see({}, now_ms)
            raise
        has_gap = now_ms - self._checked_ms > GAP_MS
        since: dict[str, int] = {}
        for kind in kinds:
            if kind.id not in doubts:
                known = None if has_gap else self._since.get(kind.id)
                since[kind.id] = await self._begin(kind, now_ms) if known is None else known
        self._see(since, now_ms)
        self._tell(doubts.values())

    async def _begin(self, kind: CredentialKind, now_ms: int) -> int:
        """Find since when a kind that stands now may be dated, in seconds.

        That is when this hour began (or day), if it stood then: a service that starts anew shall
        not be seen by its credentials. What was in between does not matter, since nothing in
        between will be written.
        """
        start_s = compute_start(kind, now_ms // 1_000)
        try:
            doubts = await check_standing(self._service, self._registry, start_s * 1_000, [kind])
        except Invalid:  # then the key was another
            return -(-now_ms // 1_000)
        return -(-now_ms // 1_000) if doubts else start_s

    def _see(self, since: dict[str, int], now_ms: int) -> None:
        self._since, self._checked_ms = since, now_ms
        self._service.writer.believed_since.see(since)

    def _tell(self, warnings: Iterable[str]) -> None:
        """Warn of what was not told at the last check already."""
        found = dict.fromkeys(warnings)
        for each in found:
            if each not in self._told:
                self._warn(each)
        self._told = frozenset(found)


def _wrong(settings: Settings, why: str) -> Invalid:
    return Invalid(
        InvalidCode.MALFORMED,
        f"did and key_id of issuer.toml: the key that signs is not that of {settings.key_id} for "
        f"what {settings.did} asserts ({why}): put it into its document, by {name_program()} id "
        "update KEYFILE --method NAME KEY assert, or name the key that is there",
    )
