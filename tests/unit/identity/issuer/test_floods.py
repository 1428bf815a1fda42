"""What strangers can make an issuer keep is bounded, whatever they send and however long."""

import pytest
from tests.conftest import IS_SOAK
from tests.unit.identity.issuer.playing import Issuer, declined

from hansa.identity.issuer.authorization import (
    PUSHED_BYTES_MAX,
    PUSHED_MAX,
    REQUEST_MS,
)
from hansa.identity.issuer.bounds import Bound
from hansa.identity.issuer.nonces import NONCE_MS, Nonces
from hansa.identity.oauth.refusals import OAuthError
from hansa.identity.store import MemoryStore
from hansa.kernel.errors import Unavailable
from hansa.node.limiter import Limiter, TooMany
from hansa.node.settings import Limits

RATE, BURST, SWEEP_S = 50, 200, 60
"""As a new issuer lets each network address in, and sweeps."""
HOURS = 24 if IS_SOAK else 0.4


class SweptStore(MemoryStore):
    """Counts what is kept, as a file does from which what is over goes now and then."""

    def __init__(self):
        super().__init__()
        self.most = (0, 0)

    def measure(self):
        return len(self._records), sum(len(value) for value, _ in self._records.values())

    def sweep(self, time_ms):
        self.most = tuple(map(max, self.most, self.measure()))
        for name in [name for name, (_, end_ms) in self._records.items() if end_ms <= time_ms]:
            del self._records[name]


def test_a_nonce_costs_no_record_until_it_is_used():
    store, issuer = SweptStore(), Issuer()
    nonces = Nonces(store, issuer.draw)
    given = [nonces.give(issuer.now_ms) for _ in range(1_000)]
    assert len(set(given)) == 1_000
    assert store.measure() == (0, 0)
    assert nonces.use(given[0], issuer.now_ms)
    assert not nonces.use(given[0], issuer.now_ms)
    assert store.measure()[0] == 1
    assert not nonces.use(given[1], issuer.now_ms + NONCE_MS)


def test_a_nonce_that_was_changed_or_is_anothers_is_not_taken():
    issuer = Issuer()
    nonces, others = (Nonces(MemoryStore(), issuer.draw) for _ in range(2))
    nonce = nonces.give(issuer.now_ms)
    assert not others.use(nonce, issuer.now_ms)
    for place in range(len(nonce)):
        other = "B" if nonce[place] != "B" else "C"
        changed = nonce[:place] + other + nonce[place + 1 :]
        assert not nonces.use(changed, issuer.now_ms)
    for wrong in ("", nonce + "A", nonce[:-1], "é" * 54, "=" * 54):
        assert not nonces.use(wrong, issuer.now_ms)
    assert nonces.use(nonce, issuer.now_ms)


def test_a_day_of_pushed_requests_from_one_address_fills_no_disk():
    store = SweptStore()
    issuer = Issuer(store=store)
    start_ms = issuer.now_ms
    limiter = Limiter(Limits(anyone_per_s=RATE, anyone_burst=BURST), lambda: issuer.now_ms / 1_000)
    state = "s" * (PUSHED_BYTES_MAX - 500)
    sent = refused = 0
    for second in range(int(HOURS * 3_600)):
        issuer.now_ms = start_ms + second * 1_000
        if second % SWEEP_S == 0:
            store.sweep(issuer.now_ms)
        for _ in range(RATE + 10):
            try:
                limiter.charge("192.0.2.1", 1, is_known=False)
            except TooMany:
                refused += 1
                continue
            issuer.push(state=state)
            sent += 1
    assert refused
    assert sent >= int(HOURS * 3_600) * RATE - BURST
    rows, size = store.most
    assert rows <= RATE * (REQUEST_MS // 1_000 + SWEEP_S) + BURST
    assert size <= rows * PUSHED_BYTES_MAX


def test_all_addresses_together_are_bounded_and_let_in_again():
    store = SweptStore()
    issuer = Issuer(store=store)
    for _ in range(PUSHED_MAX):
        issuer.push()
    with pytest.raises(Unavailable, match="ask again"):
        issuer.push()
    assert store.measure()[0] == PUSHED_MAX
    issuer.now_ms += REQUEST_MS
    issuer.push()


def test_a_bound_lets_in_as_many_as_have_ended():
    bound = Bound(2, "proofs")
    bound.count(10, 0)
    bound.count(11, 1)
    with pytest.raises(Unavailable, match="too many proofs"):
        bound.count(12, 9)
    bound.count(13, 10)
    with pytest.raises(Unavailable):
        bound.count(13, 10)
    bound.count(14, 11)


def test_what_is_kept_of_one_request_is_bounded():
    issuer = Issuer()
    declined(OAuthError.INVALID_REQUEST, issuer.push, state="s" * PUSHED_BYTES_MAX)
    declined(OAuthError.INVALID_REQUEST, issuer.push, issuer_state="\x01" * 1_000)
    issuer.push(state="s" * 1_000, issuer_state="i" * 100)
