"""Where the nodes of a new network answer: hosts and ports, and the settings that say so.

Ten ports a node: the API and console at the first, peers at the seventh; the rest are kept free.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.node.settings import PORT_MAX, Settings

DEFAULT_BASE = 26_600
PORTS_EACH = 10
PEER_OFFSET = 6
THIS_MACHINE = "127.0.0.1"
_HOST = re.compile(r"(?!0\.0\.0\.0$)[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_NUMBERS = re.compile(r"[0-9.]+")
EVERYWHERE = "0.0.0.0"  # noqa: S104 - peers come from other machines

SETTINGS = """\
# Settings of this node; all of them: docs/reference/settings.md
[listen]
host = "127.0.0.1"
port = {port}{names}

# What callers on this machine may read without an API key: "anyone" (what is public) or
# "everything". For others make keys with: hansa key api new
[access]
loopback = "anyone"
{work}
# Where other nodes connect, and the nodes to stay connected to.
[cometbft]
listen = "{listen}"
peers = [
{peers}]
{member}{join}"""

JOIN = """
# Without blocks, begin from the newest snapshot that these nodes vouch for.
join_from = [
{urls}]
{checkpoint}"""

SHARED = """
[work]
verifiers = 1
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one node answers."""

    host: str
    """Under which other nodes reach it."""
    port: int
    """The first of its ten: API and console."""

    @property
    def is_here(self) -> bool:
        """Whether all its network is on one machine."""
        return self.host == THIS_MACHINE

    @property
    def peer_port(self) -> int:
        """Where peers connect."""
        return self.port + PEER_OFFSET

    @property
    def url(self) -> str:
        """Where the API answers; on a machine of its own it needs TLS to be reached."""
        return f"{'http' if self.is_here else 'https'}://{self.host}:{self.port}"

    def write_settings(
        self,
        peers: Sequence[str],
        *,
        member: str = "",
        join_from: Sequence[str] = (),
        checkpoint: str = "",
    ) -> str:
        """Write `node.toml`.

        Nodes that share a machine share its cores: each verifies in one process.

        Args:
          peers: those of the others, `id@host:port`.
          member: whose node it is, where genesis does not tell.
          join_from: where nodes answer from whose snapshots it begins; none for genesis.
          checkpoint: name of the file from which validators are followed there; none for genesis.
        """
        listen = THIS_MACHINE if self.is_here else EVERYWHERE
        return SETTINGS.format(
            port=self.port,
            names="" if self.is_here else f"\npublic_names = [{json.dumps(self.host)}]",
            work=SHARED if self.is_here else "",
            listen=f"{listen}:{self.peer_port}",
            peers="".join(f"    {json.dumps(peer)},\n" for peer in peers),
            member=f"member = {json.dumps(member)}\n" if member else "",
            join=_write_join(join_from, checkpoint) if join_from else "",
        )


def _write_join(urls: Sequence[str], checkpoint: str) -> str:
    return JOIN.format(
        urls="".join(f"    {json.dumps(url)},\n" for url in urls),
        checkpoint=f"join_checkpoint = {json.dumps(checkpoint)}\n" if checkpoint else "",
    )


def find_place(settings: Settings) -> Place:
    """Find in a node's settings where it answers."""
    names = settings.listen.public_names
    return Place(names[0] if names else THIS_MACHINE, settings.listen.port)


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def choose_places(count: int, base: int, hosts: Sequence[str]) -> list[Place]:
    """Choose where so many nodes answer.

    Args:
      count: of nodes.
      base: first port of the first node; on one machine each next one has ten more.
      hosts: one a node where each has a machine of its own; none for all on this one.

    Raises:
      Invalid: hosts are too few or too many, one is named twice, or the ports end before.
    """
    for host in hosts:
        if not _HOST.fullmatch(host) or (_NUMBERS.fullmatch(host) and not _is_ipv4(host)):
            raise Invalid(
                InvalidCode.ARGUMENTS,
                f"--host {host[:80]!a}: must be a name or an IPv4 address under which other "
                "machines reach it, as a.example",
            )
        if list(hosts).count(host) > 1:
            raise Invalid(
                InvalidCode.ARGUMENTS,
                f"host {host} is named twice: nodes of one machine share no ports; name one for "
                "each, or none to have all on this machine",
            )
    if hosts and len(hosts) != count:
        raise Invalid(
            InvalidCode.ARGUMENTS,
            f"{len(hosts)} hosts for {count} nodes: name one for each, or none to have all "
            "on this machine",
        )
    spread = 1 if hosts else count
    if not 1 <= base <= PORT_MAX + 1 - spread * PORTS_EACH:
        raise Invalid(
            InvalidCode.ARGUMENTS,
            f"{spread} times {PORTS_EACH} ports from {base} on do not lie within 1 and {PORT_MAX}: "
            "choose another --port",
        )
    if hosts:
        return [Place(host, base) for host in hosts]
    return [Place(THIS_MACHINE, base + PORTS_EACH * number) for number in range(count)]
