"""Who may write to whom, and where: members, their servers' keys and nodes, by the ledger."""

from __future__ import annotations

from typing import NamedTuple

from hansa.contracts.members import Member
from hansa.contracts.nodes import Node
from hansa.engine.chain import Chain
from hansa.kernel.authority import Account, Purpose
from hansa.kernel.crypto.address import to_text
from hansa.kernel.machine.context import may_act
from hansa.node.channel.codes import ChannelCode, refuse


class Peer(NamedTuple):
    """Where another member's node answers, and what is encrypted to it."""

    url: str
    channel_key: bytes


class Directory:
    """Reads the rows of one chain; nothing of them is kept, so a change counts at once."""

    def __init__(self, chain: Chain) -> None:
        self._state = chain.machine.state

    def require_standing(self, member: bytes) -> None:
        """Let through who is a member that may act.

        Raises:
          Refused: `STRANGER` or `SUSPENDED`.
        """
        row = self._state.load(Member, Member.key(member))
        if row is None:
            raise refuse(
                ChannelCode.STRANGER,
                f"{to_text(member)} is no member of this network: none writes to or for it",
            )
        if row.suspended:
            raise refuse(
                ChannelCode.SUSPENDED,
                f"{row.name} is suspended: messages pass again once governance reinstates it",
            )

    def require_signer(self, member: bytes, key_address: bytes) -> None:
        """Let through a key with which a member's server signs, messages as well as batches.

        Raises:
          Refused: `WRONG_SIGNER`.
        """
        account = self._state.load(Account, Account.key(member))
        if not may_act(account, member, (key_address,), Purpose.SPONSOR):
            raise refuse(
                ChannelCode.WRONG_SIGNER,
                f"{to_text(key_address)} is no key with which {to_text(member)} signs messages: "
                "it takes one with which it may sign batches, with the purpose SPONSOR and the "
                "weight that its account's threshold asks for",
            )

    def find_peer(self, member: bytes) -> Peer:
        """Find a member's node.

        Raises:
          Refused: `STRANGER`, `SUSPENDED`, or `NO_NODE` if it takes no messages.
        """
        self.require_standing(member)
        node = self._state.load(Node, Node.key(member))
        if node is None or not node.url or not node.channel_key:
            raise refuse(
                ChannelCode.NO_NODE,
                f"{to_text(member)} has published no node that takes messages: it must publish "
                "url and channel key (nodes.publish)",
            )
        return Peer(node.url.rstrip("/"), node.channel_key)
