"""Opening the reconciliation of a data folder: the bank's key, its journals, and what uses both.

What needs the extra of reconciliation is imported only where a node is set to reconcile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hansa.contracts.members import Member
from hansa.engine.chain import Chain
from hansa.kernel.authority import Account, Purpose
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Invalid, InvalidCode, NotFound, Unavailable
from hansa.kernel.machine.context import may_act
from hansa.kernel.messages import Channel
from hansa.node.home import Home
from hansa.node.service import Node, wall_clock_ms
from hansa.node.settings import Settings
from hansa.sdk.keys import ChannelKey, KeyPair, load_key

if TYPE_CHECKING:  # of an extra, which a node that does not reconcile need not have
    from hansa.node.reconcile.service import PairService
    from hansa.node.reconcile.store import JournalFile


def load_signing_key(
    settings: Settings, channel_key: ChannelKey | None, passphrase: str
) -> KeyPair | None:
    """Load the key that signs what the node states; None if it is not set to reconcile.

    Raises:
      NotFound: there is no such file.
      Invalid: the node has no channel key, the passphrase is wrong, or the file is damaged.
    """
    if not settings.reconciliation.key:
        return None
    named = _name_setting(settings)
    if channel_key is None:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"{named} is set, but the node has no channel key, and banks that reconcile write to "
            "each other: make one and publish it (docs/how-to/write-to-another-member.md)",
        )
    path = settings.find_path(settings.reconciliation.key)
    try:
        return load_key(path, passphrase)
    except NotFound as error:
        raise NotFound(f"{error.message}; {named} names it", path=str(path)) from None
    except Invalid as error:
        raise Invalid(error.code, f"{error.message}; {named} names it", path=str(path)) from None


def open_journals(
    home: Home, settings: Settings, chain: Chain, signer: tuple[bytes, KeyPair], passphrase: str
) -> JournalFile:
    """Open the file of journals of a folder, or make it.

    Args:
      home: the data folder.
      settings: that name the key.
      chain: whose accounts say who may sign; where it has no block yet that names the member,
        later ones may.
      signer: the node's member, and the key.
      passphrase: of the folder.

    Raises:
      Invalid: the key may not sign for the member, or the passphrase is wrong.
      Corrupt: the file is damaged.
      Unavailable: the disk refuses, or the extra of reconciliation is not installed.
    """
    _require_may_sign(settings, chain, *signer)
    try:
        from hansa.node.reconcile.store import JournalFile  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise Unavailable(
            f"{_name_setting(settings)} is set, and reconciling needs {error.name}, which is not "
            "installed: pip install 'hansa[reconcile]'"
        ) from None
    return JournalFile.open(home.journals_path, passphrase)


def build_pairs(
    node: Node, member: bytes, key: KeyPair, store: JournalFile, channel: Channel
) -> PairService:
    """Build what reconciles for a node's member, to be started once its channel is.

    Raises:
      Corrupt: the journals are damaged.
      Invalid: they are of another member.
    """
    from hansa.node.reconcile.ledger import Signer  # noqa: PLC0415 - an extra
    from hansa.node.reconcile.service import PairService  # noqa: PLC0415

    return PairService(node, member, Signer(key, wall_clock_ms), store, channel)


def _require_may_sign(settings: Settings, chain: Chain, member: bytes, key: KeyPair) -> None:
    state = chain.machine.state
    if state.load(Member, Member.key(member)) is None:
        return
    account = state.load(Account, Account.key(member))
    if not may_act(account, member, (key.address,), Purpose.ASSERT):
        raise Invalid(
            InvalidCode.UNAUTHENTICATED,
            f"the key {to_text(key.address)}, which {_name_setting(settings)} names, may state "
            f"nothing for the node's member, {to_text(member)}: name another, or have the "
            "member's account name it (accounts.set_keys) with the purpose ASSERT and the weight "
            "that the account's threshold asks for",
        )


def _name_setting(settings: Settings) -> str:
    return f"reconciliation.key of {settings.folder}/node.toml"
