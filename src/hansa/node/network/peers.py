"""Which nodes may connect: those that members have published, and that the operator has named.

Source: docs/reference/contracts.md, `nodes`; docs/concepts/threat-model.md.
"""

from __future__ import annotations

from collections.abc import Collection

from hansa.contracts.members import Member
from hansa.contracts.nodes import Peer
from hansa.engine.chain import Chain
from hansa.engine.cometbft.peering import PeerRules


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
