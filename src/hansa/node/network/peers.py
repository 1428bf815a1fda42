"""Which nodes may connect: those that members have published, and that the operator has named."""

from __future__ import annotations

from collections.abc import Callable, Collection

from hansa.contracts.members import Member
from hansa.contracts.nodes import Peer
from hansa.engine.chain import Chain


def build_peer_filter(chain: Chain, named: Collection[bytes]) -> Callable[[bytes], bool]:
    """Build what says whether a peer may connect.

    A node that has only begun does not know of members admitted since genesis: the peers that its
    operator named are let in unless the ledger says that their member is suspended.

    Args:
      chain: of this node.
      named: the 20 bytes of each peer in the settings.
    """
    load = chain.machine.state.load

    def may_connect(peer: bytes) -> bool:
        found = load(Peer, Peer.key(peer))
        if found is None:
            return peer in named
        member = load(Member, Member.key(found.member))
        return member is not None and not member.suspended

    return may_connect
