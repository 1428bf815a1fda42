"""Which nodes may connect: those that members have published, and that the operator has named.

And the words for the node of a suspended member, which nobody connects to any more.

Source: docs/reference/contracts.md, `nodes`; docs/concepts/threat-model.md.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from hansa.contracts.members import Member, MemberSuspended
from hansa.contracts.nodes import Peer
from hansa.engine.chain import Chain
from hansa.engine.cometbft.peering import PeerRules
from hansa.kernel.block import decode_receipt
from hansa.kernel.errors import NotFound

BLOCKS_SEARCHED: Final = 64
"""Newest blocks in which a suspension is looked for: few come to a node once it is hung up on."""


def build_peer_rules(chain: Chain, named: Collection[bytes]) -> PeerRules:
    """Build what says of a peer whether it may connect, whose it is, and whether it must go.

    A node that has only begun does not know of members admitted since genesis: the peers that its
    operator named are let in as long as the ledger does not know them. What it says of one counts,
    whoever names it: its member has taken it out, or is suspended.

    A peer of a suspended member must be hung up on; not so one that its member has taken out, or
    members could have others' nodes hang up as often as they publish. It is its member's still.

    Args:
      chain: of this node.
      named: the 20 bytes of each peer in the settings.
    """
    load = chain.machine.state.load

    def may_connect(peer: bytes) -> bool:
        found = load(Peer, Peer.key(peer))
        if found is None:
            return peer in named
        if found.revoked:
            return False
        member = load(Member, Member.key(found.member))
        return member is not None and not member.suspended

    def is_expelled(peer: bytes) -> bool:
        found = load(Peer, Peer.key(peer))
        member = None if found is None else load(Member, Member.key(found.member))
        return member is not None and member.suspended

    def find_member(peer: bytes) -> bytes | None:
        found = load(Peer, Peer.key(peer))
        return None if found is None else found.member

    return PeerRules(may_connect, is_expelled, find_member)


def find_suspension(chain: Chain, address: bytes) -> str:
    """Find whether a member is suspended; says in words what that means for its node, or nothing.

    Cost: reads up to `BLOCKS_SEARCHED` blocks where it is.
    """
    member = chain.machine.state.load(Member, Member.key(address))
    if member is None or not member.suspended:
        return ""
    height = _find_suspending_block(chain, address)
    since = "" if height is None else f" as of block {height}"
    return (
        f"{member.name}, whose node this is, was suspended{since}: it has no vote, and the nodes "
        "of the others hang up on this one. Nothing done here helps; it gets blocks again once "
        "governance reinstates the member (reinstate_member in docs/reference/governance.md)."
    )


def _find_suspending_block(chain: Chain, address: bytes) -> int | None:
    newest = chain.confirmed_height
    for height in range(newest, max(newest - BLOCKS_SEARCHED, -1), -1):
        try:
            receipts = chain.get_record(height).receipts
        except NotFound:  # the log begins above
            return None
        for raw in receipts:
            if address in raw and any(
                name == MemberSuspended.__name__ and address in fields
                for _, name, fields in decode_receipt(raw).events
            ):
                return height
    return None
