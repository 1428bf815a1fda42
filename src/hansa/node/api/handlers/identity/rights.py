"""Who may read what of identity: all of it is public, but consents, and keys of wallets.

A consent is shown to its parties. An address that has a wallet and no document of its own is
somebody's pseudonym: its keys, by which wallets could be linked, are shown to who may read it.
"""

from __future__ import annotations

from hansa.contracts.identity.consent import Consent
from hansa.contracts.identity.documents import Document
from hansa.contracts.wallets import Wallet
from hansa.kernel.errors import NotFound
from hansa.kernel.machine.state import Reader
from hansa.kernel.rows import Rows
from hansa.node.api.rights import Principal, Right, Role
from hansa.node.api.routes import Api
from hansa.sdk.identity.questions import AnyQuestion, ConsentQuestion, DidQuestion


def read_rows(api: Api) -> Reader:
    """Read rows as of the newest block."""
    return Reader(api.node.chain.machine.state)


def require_resolvable(api: Api, principal: Principal, address: bytes) -> None:
    """Let through who may resolve an address.

    Raises:
      NotFound: to this caller it has no document.
    """
    if is_pseudonym(read_rows(api), address) and not api.access.may_read_wallet(principal, address):
        raise tell_no_document()


def is_pseudonym(rows: Rows, address: bytes) -> bool:
    """Whether an address is a wallet whose owner has published no document at it."""
    is_wallet = rows.get(Wallet, address) is not None
    return is_wallet and rows.get(Document, address) is None


def require_party(
    api: Api, principal: Principal, consent: Consent | None, consent_id: bytes
) -> None:
    """Let through a consent's parties, and who may read the whole ledger.

    Raises:
      Invalid: `UNAUTHENTICATED`: nobody is known to ask.
      NotFound: there is no such consent, or it is other people's: which, is not told.
    """
    if principal.role is Role.ANYONE:
        raise api.access.deny(principal, "this consent")
    own = {*principal.wallets, principal.member}
    parties = set() if consent is None else {consent.holder, consent.giver, consent.recipient}
    if consent is None or not (principal.may(Right.LEDGER) or own & parties):
        raise NotFound(
            f"there is no consent {consent_id.hex()} of yours: it was never given, or was swept "
            "after its end, or you are not a party to it"
        )


def require_question(api: Api, principal: Principal, question: AnyQuestion, rows: Rows) -> None:
    """Let through who may know the answer to a question; raises as the two above."""
    if isinstance(question, DidQuestion):
        require_resolvable(api, principal, question.address)
    elif isinstance(question, ConsentQuestion):
        consent = rows.get(Consent, question.consent_id)
        require_party(api, principal, consent, question.consent_id)


def tell_no_document() -> NotFound:
    """Say that an address has no document, or none that is shown."""
    return NotFound(
        "this DID has no document: nobody has created one at its address, or not at that time yet"
    )
