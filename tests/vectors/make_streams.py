"""A recorded stream: blocks of batches, with every outcome that execution knows."""

from __future__ import annotations

from tests.vectors.make_blocks import Recorder
from tests.vectors.parts import MINUTE_MS, NETWORKS, START_MS, Forge

DAY_MS = 86_400_000
INT64_MAX = 2**63 - 1


def make_stream(network_name: str) -> dict:
    """Record a stream on one network."""
    recorder = Recorder(network_name)
    forge = Forge(NETWORKS[network_name])
    for play in (
        _play_payments,
        _play_failures,
        _play_accounts,
        _play_deletions,
        _play_validity,
        _play_arguments,
        _play_sponsors,
        _play_quotas,
        _play_limits,
        _play_next_day,
    ):
        play(recorder, forge)
    return {
        "pre": {"network": network_name},
        "blocks": recorder.blocks,
        "post": {"rows": {key.hex(): row.hex() for key, row in sorted(recorder.rows.items())}},
    }


def _keys(forge: Forge) -> tuple:
    return forge.key("ann"), forge.key("bob", 2), forge.key("cay", 3)


def _add(owner, amount: int = 5, name: str = "coffee") -> list:
    return ["add", [owner.address, name, amount]]


def _play_payments(recorder: Recorder, forge: Forge) -> None:
    """All suites, two batches, an attestation, rubbish among the good; a checkpoint."""
    ann, bob, cay = _keys(forge)
    first = forge.batch(
        forge.call(_add(ann), by=(ann,)),
        [forge.call(_add(bob), by=(bob,)), bytes(range(32))],
        b"rubbish",
        forge.call(_add(cay), by=(cay,)),
    )
    second = forge.batch(forge.call(_add(ann, 7), by=(ann,)), sponsor="seldom")
    recorder.apply(START_MS + 1_000, first, second)


def _play_failures(recorder: Recorder, forge: Forge) -> None:
    """Calls succeed or fail together; no checkpoint."""
    ann, bob, _ = _keys(forge)
    recorder.apply(
        START_MS + 1_500,
        forge.batch(
            forge.call(_add(ann), _add(ann), ["tell", [2]], _add(ann), by=(ann,)),
            forge.call(_add(ann), ["fail", []], by=(ann,)),
            forge.call(_add(ann), ["drop", [ann.address, "tea"]], by=(ann,)),
            forge.call(_add(ann), _add(bob), by=(ann,)),
            forge.call(_add(ann), _add(bob), by=(bob, ann)),
            forge.call(["nothing", "add", []], by=(ann,)),
            forge.call(_add(ann), ["nothing", []], by=(ann,)),
            forge.call(_add(ann, INT64_MAX, "all"), _add(ann, 1, "all"), by=(ann,)),
            forge.call(_add(ann, 5, "😀" * 63), by=(ann,)),
            forge.call(_add(ann, 5, "😀" * 64), by=(ann,)),
        ),
    )


def _play_accounts(recorder: Recorder, forge: Forge) -> None:
    """An address gets keys, a threshold and a limit; a millisecond short of a checkpoint."""
    ann, bob, cay = _keys(forge)
    keys = [[ann.address, 255, 1, 0], [bob.address, 1, 1, 500], [cay.address, 3, 2, 0]]
    recorder.apply(
        START_MS + 1_999,
        forge.batch(
            forge.call(["bind", [ann.address, keys, 2]], by=(ann,)),
            forge.call(_add(ann), by=(ann,)),
            forge.call(_add(ann, 500), by=(ann, bob)),
            forge.call(_add(ann, 501), by=(ann, bob)),
            forge.call(_add(ann, 501), by=(cay,)),
            forge.call(["drop", [ann.address, "coffee"]], by=(ann, bob)),
            forge.call(["bind", [bob.address, [], 1]], by=(ann,)),
        ),
    )


def _play_deletions(recorder: Recorder, forge: Forge) -> None:
    """A row goes and comes back, one goes for good; exactly a second after the checkpoint."""
    _, bob, cay = _keys(forge)
    recorder.apply(
        START_MS + 2_000,
        forge.batch(
            forge.call(_add(bob, 5, "tea"), by=(bob,)),
            forge.call(["drop", [bob.address, "coffee"]], _add(bob, 9), by=(bob,)),
            forge.call(["drop", [bob.address, "coffee"]], by=(bob,)),
            forge.call(["drop", [bob.address, "coffee"]], by=(bob,)),
            forge.call(*[["mark", [16 * number, 16]] for number in range(1)], by=(cay,)),
            forge.call(["mark", [16, 16]], by=(cay,)),
            forge.call(["mark", [32, 16]], by=(cay,)),
        ),
    )
    recorder.apply(START_MS + 2_000)
    recorder.apply(START_MS + 3_000)


def _play_validity(recorder: Recorder, forge: Forge) -> None:
    """Stale, early, repeated; the same nonce under another body."""
    _, bob, _ = _keys(forge)
    now = START_MS + 3_500
    limit = now + 15 * MINUTE_MS
    once = forge.call(_add(bob), by=(bob,), until_ms=now + 400)
    forge.count -= 1
    other = forge.call(_add(bob, 6), by=(bob,), until_ms=now + 5_000)
    other_signer = forge.call(_add(bob, 6), by=(forge.key("ann"), bob))
    recorder.apply(
        now,
        forge.batch(
            forge.call(_add(bob), by=(bob,), until_ms=now - 1),
            forge.call(_add(bob), by=(bob,), until_ms=now),
            forge.call(_add(bob), by=(bob,), until_ms=limit),
            forge.call(_add(bob), by=(bob,), until_ms=limit + 1),
            once,
            once,
            other,
            other_signer,
            forge.call(["add", []], by=(bob,), until_ms=now - 1),
        ),
    )
    recorder.apply(now + 400, forge.batch(once))
    recorder.apply(now + 500, forge.batch(once, other))
    recorder.apply(now + 501, forge.batch(other, other))


def _play_arguments(recorder: Recorder, forge: Forge) -> None:
    """Arguments that are none, and amounts that are none."""
    _, bob, _ = _keys(forge)
    address = bob.address
    amounts = [0, -1, INT64_MAX + 1, 2**64 - 1, "5", None, True, b"5", [5]]
    arguments = [
        [],
        [address],
        [address, "x"],
        [address, "x", 5, 5],
        [address, "", 5],
        [address, "x", 0, 5],
    ]
    arguments += [[address[:31], "x", 5], [address, "x" * 65, 5], [address, 5, 5], ["bob", "x", 5]]
    used = forge.call(_add(bob), by=(bob,))
    forge.count -= 1
    used_and_bad = forge.call(_add(bob, 0), by=(bob,))
    items = [forge.call(["add", [address, "x", each]], by=(bob,)) for each in amounts]
    items += [forge.call(["add", each], by=(bob,)) for each in arguments]
    first_bad = forge.call(["add", [address[:31], "x", 0]], by=(bob,))
    later_bad = forge.call(["fail", []], _add(bob, 0), by=(bob,))
    recorder.apply(START_MS + 5_000, forge.batch(*items, used, used_and_bad, first_bad, later_bad))


def _play_sponsors(recorder: Recorder, forge: Forge) -> None:
    """Strangers, keys that may not sponsor, and a member that is suspended for a while."""
    _, bob, _ = _keys(forge)
    small = forge.key("small")

    def pay() -> bytes:
        return forge.call(_add(bob), by=(bob,))

    recorder.apply(
        START_MS + 6_000,
        forge.batch(pay(), b"rubbish", sponsor="stranger"),
        forge.batch(pay(), sponsor="north", signer="small server"),
        forge.batch(pay(), sponsor="north", signer="north"),
        forge.batch(forge.call(["add", [small.address, "suspended", 1]], by=(small,))),
        forge.batch(pay(), sponsor="small"),
    )
    lift = forge.call(["drop", [small.address, "suspended"]], by=(small,))
    recorder.apply(START_MS + 6_100, forge.batch(lift), forge.batch(pay(), sponsor="small"))


def _play_quotas(recorder: Recorder, forge: Forge) -> None:
    """One over each of the four quotas."""
    ann, bob, cay = _keys(forge)

    def pay(name: str = "coffee") -> bytes:
        return forge.call(_add(bob, 5, name), by=(bob,))

    recorder.apply(
        START_MS + 7_000,
        forge.batch(pay(), pay(), forge.call(_add(bob), by=(bob,), until_ms=1), sponsor="small"),
        forge.batch(pay(), pay(), sponsor="seldom"),
        forge.batch(
            forge.call(["fail", []], by=(ann,)),
            b"rubbish",
            pay(),
            forge.call(_add(ann), by=(bob,)),
            pay(),
            pay(),
            sponsor="wrong",
        ),
        forge.batch(*[pay(f"row {number}") for number in range(4)], sponsor="full"),
    )
    gone = forge.call(["drop", [bob.address, "row 0"]], by=(bob,))
    moved = forge.call(["drop", [bob.address, "row 1"]], _add(bob, 5, "row 9"), by=(bob,))
    recorder.apply(
        START_MS + 7_200,
        forge.batch(moved, gone, sponsor="full"),
        forge.batch(gone),
        forge.batch(pay("row 4"), pay("row 5"), sponsor="full"),
        forge.batch(forge.call(_add(cay), by=(cay,)), sponsor="seldom"),
    )


def _play_limits(recorder: Recorder, forge: Forge) -> None:
    """As much as genesis allows one transaction, and one more."""
    _, _, cay = _keys(forge)
    calls = [
        [["mark", [100, 16]]],
        [["mark", [200, 17]]],
        [["mark", [200, 9]], ["mark", [300, 8]]],
        [["mark", [200, 16]], ["mark", [200, 16]]],
        [["look", [64]]],
        [["look", [65]]],
        [["look", [60]], ["look", [5]]],
        [["tell", [16]]],
        [["tell", [17]]],
        [["tell", [10]], ["tell", [7]]],
    ]
    items = [forge.call(*each, by=(cay,)) for each in calls]
    recorder.apply(START_MS + 8_000, forge.batch(*items))


def _play_next_day(recorder: Recorder, forge: Forge) -> None:
    """Quotas of a day begin anew; stored rows stay."""
    _, bob, _ = _keys(forge)
    now = START_MS + DAY_MS
    items = [forge.call(_add(bob), by=(bob,), until_ms=now + 1_000) for _ in range(8)]
    recorder.apply(
        now,
        forge.batch(items[0], items[1], items[2], sponsor="small"),
        forge.batch(items[3], sponsor="seldom"),
        forge.batch(items[4], sponsor="wrong"),
        forge.batch(items[5], sponsor="full"),
        forge.batch(items[0], items[6]),
    )
    recorder.apply(now + 999, forge.batch(items[7]))
    recorder.apply(now + 1_000)
