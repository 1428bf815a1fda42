"""Which nodes may connect: those that members have published, and that the operator has named.

Source: docs/reference/contracts.md, `nodes`; docs/concepts/threat-model.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from hansa.contracts.members import Member
from hansa.contracts.nodes import Peer
from hansa.engine.chain import Chain


def build_peer_filter(chain: Chain, named: Collection[bytes]) -> Callable[[bytes], bool]:
    """Build what says whether a peer may connect.

    A node that has only begun does not know of members admitted since genesis: the peers that its
    operator named are let in as long as the ledger does not know them. What it says of one counts,
    whoever names it: its member has taken it out, or is suspended.

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

    return may_connect


def build_expulsion(chain: Chain) -> Callable[[bytes], bool]:
    """Build what says whether a peer is of a member that is suspended, and must be hung up on.

    Not so one that its member has taken out: a connection that it has ends when it ends, or members
    could have others' nodes hang up as often as they publish.
    """
    load = chain.machine.state.load

    def is_expelled(peer: bytes) -> bool:
        found = load(Peer, Peer.key(peer))
        member = None if found is None else load(Member, Member.key(found.member))
        return member is not None and member.suspended

    return is_expelled
