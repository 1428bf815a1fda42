"""Opening the risk control of a data folder: what decides, and the file of what was decided.

What needs the extra of risk control is imported only where a node is set to decide.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hansa.contracts.policy import get_policy
from hansa.engine.chain import Chain
from hansa.kernel.errors import Unavailable
from hansa.kernel.machine.state import Reader
from hansa.node.home import Home
from hansa.node.service import wall_clock_ms
from hansa.node.settings import Settings

if TYPE_CHECKING:  # of an extra, which a node that does not decide need not have
    from hansa.node.risk.desk import RiskDesk

ZONE = "zone.offset_minutes"
_MINUTE_MS = 60_000


def open_risk(
    home: Home,
    settings: Settings,
    chain: Chain,
    member: bytes,
    passphrase: str,
    clock_ms: Callable[[], int] = wall_clock_ms,
) -> RiskDesk | None:
    """Open the risk desk of a folder, to be started; None if the node is not set to decide.

    Args:
      home: the data folder.
      settings: that say whether it decides.
      chain: whose policy says which hour it is there.
      member: whose node it is.
      passphrase: of the folder; it opens the file of decisions, too.
      clock_ms: what the time is.

    Raises:
      NotFound: there is no policy file.
      Invalid: policy, rules, lists or merchants are wrong, or the passphrase is.
      Corrupt: the file of decisions is damaged.
      Unavailable: the disk refuses, or the extra of risk control is not installed.
    """
    if not settings.risk.decides:
        return None
    try:
        from hansa.node.risk.clerk.placing import Apart, Opening  # noqa: PLC0415 - an extra
        from hansa.node.risk.desk import RiskDesk  # noqa: PLC0415
        from hansa.node.risk.loading import RiskFolder  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise Unavailable(
            f"risk.decides of {settings.folder}/node.toml is set, and deciding needs "
            f"{error.name}, which is not installed: pip install 'hansa[risk]'"
        ) from None
    folder = RiskFolder(home.risk_path)
    opening = Opening(
        home.risk_path,
        home.decisions_path,
        passphrase,
        chain.network.genesis.encoded(),
        member,
        read_zone_ms(chain),
    )
    clerk = Apart(opening, folder.loaded.sources, lambda: max(clock_ms(), chain.head.time_ms))
    return RiskDesk(chain, member, clerk, folder, clock_ms)


def read_zone_ms(chain: Chain) -> int:
    """Read what local time is ahead of UTC, as policy has it now."""
    zone = get_policy(Reader(chain.machine.state), ZONE, chain.head.time_ms)
    return zone[0] * _MINUTE_MS if zone else 0
