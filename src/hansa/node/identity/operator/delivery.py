"""Bringing cases to the ledger and watching them: lifts, and their ends.

Each step ends with everything noted that the next one needs. A transaction is signed and noted
before it is sent, and the same bytes are sent until it is known what became of them, so that a
wallet is lifted once. Only one process at a time takes steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hansa.contracts import wallets
from hansa.contracts.identity import tiers
from hansa.contracts.identity.tiers import Lower, Raise, Reason
from hansa.identity.faults import Fault, Unsound
from hansa.identity.status.reference import StatusReference
from hansa.identity.tiers import compute_presentation_hash
from hansa.identity.verifier.registry import INVALID, SUSPENDED, VALID, Registry
from hansa.kernel.contract import Command
from hansa.kernel.crypto.hashing import crypto_profile
from hansa.kernel.errors import HansaError, Invalid, InvalidCode, Refused, Unavailable
from hansa.node.api.codes import describe_refusal
from hansa.node.identity.operator.asking import read_wallet
from hansa.node.identity.operator.cases import Case, Cases, State
from hansa.node.identity.operator.settings import Settings
from hansa.sdk.answers import TransactionResult
from hansa.sdk.build import SignedTransaction
from hansa.sdk.problems import find_code

OVER = {tiers.Code.NOT_LIFTED, wallets.Code.CLOSED, wallets.Code.UNKNOWN_WALLET}
"""Refusals that say that there is nothing to be ended any more."""
ENDS = {INVALID: Reason.REVOKED, SUSPENDED: Reason.SUSPENDED}
_TOLD = (Invalid, Refused, Unavailable)
"""What is told and tried again; all else ends the process."""


class Ledger(Protocol):
    """Signs and sends transactions; `issuer.ledger.node.SdkNode` is one."""

    async def sign(self, command: Command) -> SignedTransaction:
        """Sign a transaction of one command; raises `Invalid` or `Unavailable`."""

    async def submit(self, envelope: bytes) -> TransactionResult:
        """Send a transaction; sending it again is answered by its first receipt."""

    async def find_result(self, tx_id: bytes) -> TransactionResult | None:
        """Find what became of a transaction; None if it is in no block."""


class TierDelivery:
    """Brings one operator's cases to the ledger."""

    def __init__(
        self,
        cases: Cases,
        settings: Settings,
        ledger: Ledger,
        registry: Registry,
        clock_ms: Callable[[], int],
    ) -> None:
        self._cases = cases
        self._settings = settings
        self._ledger = ledger
        self._registry = registry
        self._clock_ms = clock_ms

    async def deliver(self) -> HansaError | None:
        """Bring each case that waits for the ledger one step on; returns what failed last, if any.

        Cases of one wallet keep their order.
        """
        trouble: HansaError | None = None
        blocked: set[str] = set()
        # What was signed already goes first: else an old Lower would undo a new Raise.
        for case in sorted(self._cases.list_open(), key=lambda each: not each.envelope):
            if case.wallet in blocked:
                continue
            try:
                is_done = await self._bring(case)
            except _TOLD as error:
                trouble, is_done = error, False
                self._tell(case, error.message)
            if not is_done:
                blocked.add(case.wallet)
        return trouble

    async def watch(self) -> HansaError | None:
        """Read the status of each credential that lifts a wallet; returns what failed last.

        It may take long, and `deliver` may be called meanwhile. A list that cannot be had is not
        asked for again in the same round: many wait for it, for seconds each.
        """
        trouble: HansaError | None = None
        away: dict[str, HansaError] = {}
        for session_id in self._cases.list_lifting():
            case = self._cases.find(session_id)
            if case is None or case.state is not State.LIFTED:
                continue
            try:
                await self._look_at(case, away)
            except (Unsound, Unavailable) as error:
                trouble = error
                self._cases.change(case, why=error.message)
        return trouble

    async def _look_at(self, case: Case, away: dict[str, HansaError]) -> None:
        now_ms, uri = self._clock_ms(), case.status_uri
        if now_ms > case.until_ms:
            self._cases.change(case, state=State.ENDED, why="its time is over")
            return
        if not uri:
            return
        if uri in away:
            raise away[uri]
        try:
            found = await self._registry.get_status(
                case.issuer, StatusReference(uri, case.status_index)
            )
        except Unavailable as error:
            away[uri] = error
            raise
        self._judge(case, found.value, now_ms)

    def _judge(self, case: Case, status: int, now_ms: int) -> None:
        reason = ENDS.get(status)
        if status == VALID:
            self._cases.change(case, checked_ms=now_ms, why="")
        elif reason is not None:
            self._cases.change(case, checked_ms=now_ms, state=State.ENDING, reason=reason, why="")
        else:
            raise Unsound(Fault.STATUS, f"it has the status {status}, which says nothing here")

    async def _bring(self, case: Case) -> bool:
        """Bring a case one step on; whether all is known that the wallet's next case needs."""
        begun = case if case.envelope else await self._begin(case)
        if begun is None:
            return True
        try:
            result = await self._ledger.submit(bytes.fromhex(begun.envelope))
        except Invalid as error:
            # Perhaps it was confirmed while nobody listened, and is now too old to be sent.
            found = await self._ledger.find_result(bytes.fromhex(begun.tx_id))
            if found is None:
                self._cases.change(begun, envelope="", tx_id="")
                if error.code is InvalidCode.EXPIRED:
                    return False
                raise
            result = found
        self._take(begun, result)
        return True

    async def _begin(self, case: Case) -> Case | None:
        """Sign a case's transaction; None if there is nothing to be sent."""
        if case.state is State.WANTED and self._clock_ms() > case.presented_until_ms:
            why = "it could not be brought to the ledger in time: ask anew"
            self._cases.change(case, state=State.REFUSED, why=why)
            return None
        signed = await self._ledger.sign(self._build(case))
        envelope, tx_id = signed.envelope.hex(), signed.tx_id.hex()
        return self._cases.change(case, envelope=envelope, tx_id=tx_id)

    def _build(self, case: Case) -> Command:
        wallet, operator = read_wallet(case), self._settings.address
        if case.state is State.ENDING:
            return Lower(wallet, operator, case.reason)
        return Raise(
            wallet,
            operator,
            case.category,
            bytes.fromhex(case.nullifier),
            hash_presentation(case, self._settings),
            case.presented_until_ms,
            case.until_ms,
        )

    def _take(self, case: Case, result: TransactionResult) -> None:
        """Take note of what became of a transaction."""
        done: dict[str, object] = {"envelope": "", "tx_id": ""}
        if result.is_ok and case.state is State.WANTED:
            self._cases.lift(case)
            return
        if result.is_ok:
            self._cases.change(case, state=State.ENDED, why=f"lowered: {case.reason}", **done)
            return
        code = find_code(result.code or result.status)
        why = f"the ledger refuses it ({code}): {describe_refusal(str(code))}"
        if case.state is State.WANTED:
            self._cases.change(case, state=State.REFUSED, why=why, **done)
        elif code in OVER:
            self._cases.change(case, state=State.ENDED, why="it was over already", **done)
        else:
            self._cases.change(case, **done)
            refused = Refused(code)
            refused.message = why
            raise refused

    def _tell(self, seen: Case, why: str) -> None:
        case = self._cases.find(seen.session_id)
        if case is not None and case.why != why:
            self._cases.change(case, why=why)


def hash_presentation(case: Case, settings: Settings) -> bytes:
    """Compute the hash of what was shown, as it stands on the ledger."""
    genesis_hash = bytes.fromhex(settings.ledger.genesis)
    return compute_presentation_hash(
        genesis_hash, case.presentation, crypto_profile(case.hash).digest
    )
