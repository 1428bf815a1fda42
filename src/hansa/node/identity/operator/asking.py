"""Asking for what lifts a wallet, and taking note of what was shown.

Source: OpenID4VP 1.0; docs/reference/credentials.md, Tiers.
"""

from __future__ import annotations

from collections.abc import Callable

from hansa.contracts.wallets import Category
from hansa.identity.dcql.queries import CredentialQuery, Query
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.claims import read_time_s
from hansa.identity.sd_jwt.credential import TYPE
from hansa.identity.tiers import (
    Intent,
    compute_lift_end,
    compute_nullifier,
    compute_presentation_nonce,
    read_pairwise_subject,
)
from hansa.identity.verifier.judgement import Judged
from hansa.identity.verifier.sessions import Accepted, Asking, Commitment
from hansa.kernel.crypto.address import from_text, to_text
from hansa.kernel.crypto.hashing import crypto_profile
from hansa.kernel.errors import Invalid, InvalidCode, NotFound
from hansa.kernel.genesis import Network
from hansa.node.identity.operator.cases import Case, Cases, State
from hansa.node.identity.operator.settings import Rule, Settings
from hansa.node.identity.verifier.folder import NOBODY, VerifierFolder
from hansa.sdk import answers

QUERY_ID = "tier"
LIFT_TYPE = "urn:hansa:lift-wallet:1"
"""Of the transaction data that a holder agrees to (OpenID4VP 1.0, section 8.4)."""
MINUTE_MS = 60_000
_NEVER_MS = 2**53


def build_query(rule: Rule, operator: str) -> Query:
    """Build the query for what a rule asks."""
    return Query(
        credentials=(
            CredentialQuery(
                id=QUERY_ID,
                format=TYPE,
                meta={"vct_values": [rule.type]},
                claims=rule.list_claims(operator),
            ),
        )
    )


def check_wallet(wallet: answers.Wallet, category: Category, operator: str) -> None:
    """Check that a wallet can be lifted to a category, before anybody is asked.

    Raises:
      Invalid: it is another operator's, closed, or has this category already.
    """
    fault = ""
    if wallet.operator != operator:
        fault = f"is kept by {wallet.operator}: its own operator lifts it"
    elif wallet.is_closed:
        fault = "is closed"
    elif Category[wallet.given_category] <= category:
        fault = f"has category {wallet.given_category} without a credential"
    elif Category[wallet.category] < category:
        fault = f"is lifted to category {wallet.category}, which is better"
    if fault:
        raise Invalid(InvalidCode.ARGUMENTS, f"the wallet {wallet.wallet} {fault}")


class TierDesk:
    """Asks, and takes note of answers."""

    def __init__(self, verifier: VerifierFolder, settings: Settings) -> None:
        self._verifier = verifier
        self._settings = settings
        self._genesis_hash = bytes.fromhex(settings.ledger.genesis)
        self.cases = Cases(verifier.records)

    def ask(self, wallet: bytes, category: Category, network: Network, time_ms: int) -> Asking:
        """Begin to ask for what lifts a wallet; good for as long as the settings say.

        Raises:
          NotFound: there is no rule for this category.
        """
        settings = self._settings
        rule = settings.find(category)
        if rule is None:
            raise NotFound(f"tiers.toml has no rule for category {category.name}")
        expires_ms = time_ms + settings.answer_minutes * MINUTE_MS
        intent = Intent(wallet, settings.address, category, expires_ms)
        nonce = compute_presentation_nonce(self._genesis_hash, intent, network.digest)
        name = to_text(wallet)
        with self._verifier.records.at_once():
            asking = self._verifier.build(NOBODY).ask(
                build_query(rule, settings.operator),
                f"{rule.purpose} {name} to category {category.name}",
                time_ms,
                transactions=[_describe(name, category, settings)] if settings.names_wallet else (),
                commitment=Commitment(nonce, expires_ms),
            )
            case = Case(
                session_id=asking.session_id,
                wallet=name,
                category=category,
                hash=network.genesis.hash,
                asked_ms=time_ms,
                presented_until_ms=expires_ms,
            )
            self.cases.add(case)
        return asking

    def build_accept(self, wake: Callable[[], None]) -> Callable[[Accepted], None]:
        """Build what a verifier tells of accepted answers; `wake` is called when one is noted."""

        def accept(accepted: Accepted) -> None:
            case = self.cases.find(accepted.session_id)
            if case is None or case.state is not State.ASKED:
                return  # a question of another kind, or noted before a crash
            self._note(case, accepted)
            wake()

        return accept

    def _note(self, case: Case, accepted: Accepted) -> None:
        """Note what lifts the wallet.

        Raises:
          Unsound: it is another issuer's than the rule names, the person has no name towards this
            operator, or the credential ends too soon.
        """
        (judged,) = accepted.judged
        rule = self._settings.find(case.category)
        if rule is not None and rule.issuers and judged.issuer not in rule.issuers:
            raise Unsound(
                Fault.ISSUER, f"a credential of {judged.issuer[:120]} lifts no wallet here"
            )
        (presentation,) = accepted.presentations[QUERY_ID]
        subject = read_pairwise_subject(judged.claims, self._settings.address)
        until_ms = self._compute_end(judged, case, accepted.time_ms)
        digest = crypto_profile(case.hash).digest
        nullifier = compute_nullifier(self._genesis_hash, subject, case.category, digest)
        status = judged.statuses[0] if judged.statuses else None
        self.cases.change(
            case,
            state=State.WANTED,
            presentation=presentation,
            nullifier=nullifier.hex(),
            until_ms=until_ms,
            issuer=judged.issuer,
            status_uri="" if status is None else status.uri,
            status_index=0 if status is None else status.index,
            checked_ms=accepted.time_ms,
        )

    def _compute_end(self, judged: Judged, case: Case, time_ms: int) -> int:
        expires_s = read_time_s(judged.claims, "exp", "the credential")
        expires_ms = _NEVER_MS if expires_s is None else int(expires_s * 1_000)
        until_ms = compute_lift_end(expires_ms, time_ms, self._settings.days_max)
        if until_ms <= case.presented_until_ms:
            # The lift could be over before it is on the ledger, which would refuse it.
            raise Unsound(Fault.EXPIRED, "the credential ends too soon: renew it first")
        return until_ms


def _describe(wallet: str, category: Category, settings: Settings) -> dict[str, object]:
    """Describe to the holder what is to be lifted, so that nobody lends a credential unawares."""
    return {
        "type": LIFT_TYPE,
        "credential_ids": [QUERY_ID],
        "wallet": wallet,
        "category": category.name,
        "operator": settings.operator,
    }


def read_wallet(case: Case) -> bytes:
    """Read the address of a case's wallet."""
    return from_text(case.wallet)
