"""Rate limits: a token bucket for each caller.

A request is let in while its caller's bucket is not empty; what it costs beyond that is a debt to
wait for, so that a large batch passes whole. Buckets are bounded in number.

Source: the token bucket of ITU-T I.371; RFC 6585 section 4 (429), RFC 9110 section 10.2.3.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from hansa.kernel.errors import Unavailable
from hansa.node.settings import Limits

BUCKETS_MAX = 20_000
IPV6_SITE_BITS = 64
"""One subscriber has all addresses under these."""


class TooMany(Unavailable):
    """The caller asks too often."""

    def __init__(self, wait_s: float, message: str = "too many requests") -> None:
        self.wait_s = max(1, math.ceil(wait_s))
        super().__init__(f"{message}; ask again in {self.wait_s} s", wait_s=self.wait_s)


class Bucket:
    """What one caller may still ask for."""

    __slots__ = ("seen_s", "tokens")

    def __init__(self, tokens: float, seen_s: float) -> None:
        self.tokens = tokens
        self.seen_s = seen_s


class Limiter:
    """Charges callers for requests and transactions.

    Args:
      limits: rates and bursts; a rate of 0 is no limit.
      clock_s: a clock that never goes back.
      buckets_max: how many callers are remembered.
    """

    def __init__(
        self, limits: Limits, clock_s: Callable[[], float], buckets_max: int = BUCKETS_MAX
    ) -> None:
        self._rates = {
            True: (limits.known_per_s, limits.known_burst),
            False: (limits.anyone_per_s, limits.anyone_burst),
        }
        self._clock_s = clock_s
        self._buckets_max = buckets_max
        self._buckets: dict[str, Bucket] = {}

    def charge(self, caller: str, cost: int, *, is_known: bool) -> None:
        """Charge a caller for a request.

        Raises:
          TooMany: its bucket is empty; nothing was charged.
        """
        per_s, burst = self._rates[is_known]
        if not per_s:
            return
        bucket = self._get(caller, per_s, burst)
        if bucket.tokens <= 0:
            raise TooMany(-bucket.tokens / per_s)
        bucket.tokens -= cost

    def add_cost(self, caller: str, cost: int, *, is_known: bool) -> None:
        """Charge more for a request that was let in, once its size is known."""
        per_s, burst = self._rates[is_known]
        if per_s and cost > 0:
            self._get(caller, per_s, burst).tokens -= cost

    def _get(self, caller: str, per_s: float, burst: float) -> Bucket:
        now = self._clock_s()
        bucket = self._buckets.get(caller)
        if bucket is None:
            if len(self._buckets) >= self._buckets_max:
                self._forget()
            bucket = self._buckets[caller] = Bucket(burst, now)
        bucket.tokens = min(burst, bucket.tokens + (now - bucket.seen_s) * per_s)
        bucket.seen_s = now
        return bucket

    def _forget(self) -> None:
        """Forget the half that has not asked for longest."""
        oldest = sorted(self._buckets, key=lambda caller: self._buckets[caller].seen_s)
        for caller in oldest[: len(oldest) // 2 + 1]:
            del self._buckets[caller]


@lru_cache(maxsize=4_096)
def name_remote(remote: str | None) -> str:
    """Name a caller by its network address; all of an IPv6 site are one.

    An IPv4 address mapped into IPv6 is that IPv4 address: all of them have one prefix.
    """
    try:
        address = ip_address(remote or "")
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return f"{int(address) >> (128 - IPV6_SITE_BITS):x}::/{IPV6_SITE_BITS}"
    return str(address)
