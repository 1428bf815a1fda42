"""Execution once more, from docs/reference/wire.md alone, with the contract of the vectors.

Like `independent`, it imports nothing of Hansa. A stream of (height, time, batches) goes in;
headers, receipts and rows come out, to be compared byte for byte.
"""

from __future__ import annotations

from tests.vectors.independent import (
    ADDRESS,
    COUNT,
    INT64_MAX,
    POSITIVE,
    Bad,
    Batch,
    Envelope,
    Network,
    array,
    check_batch,
    fields,
    pack,
)

MINUTES_15 = 15 * 60 * 1_000
DAY_MS = 86_400_000
SPONSOR, PAY, MANAGE = 4, 1, 2


class Refusal(Exception):  # noqa: N818 - it becomes a receipt
    """A rule said no."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Rows:
    """Rows of finished transactions, and what the running one reads and writes."""

    def __init__(self, reads_max: int, writes_max: int) -> None:
        self.limits = reads_max, writes_max
        self.committed: dict[bytes, list] = {}
        self.block: dict[bytes, list | None] = {}
        self.begin()

    def begin(self) -> None:
        self.reads, self.own = 0, {}

    def get(self, key: bytes):
        self.reads += 1
        if self.reads > self.limits[0]:
            raise Refusal("kernel.TOO_MANY_READS")
        for layer in (self.own, self.block, self.committed):
            if key in layer:
                return layer[key]
        return None

    def put(self, key: bytes, row: list | None) -> None:
        self.own[key] = row
        if len(self.own) > self.limits[1]:
            raise Refusal("kernel.TOO_MANY_WRITES")

    def count_new(self) -> int:
        """By how many rows the state grows with the transaction's writes."""
        grown = 0
        for key, row in self.own.items():
            before = self.block[key] if key in self.block else self.committed.get(key)
            grown += (row is not None) - (before is not None)
        return grown

    def commit(self) -> None:
        self.block |= self.own
        self.begin()


def _name(value) -> bool:
    return type(value) is str and 1 <= len(value) <= 64


KEY = fields(ADDRESS, COUNT, POSITIVE, COUNT)
COMMANDS = {
    "add": (ADDRESS, _name, POSITIVE),
    "drop": (ADDRESS, _name),
    "bind": (ADDRESS, array(KEY), POSITIVE),
    "mark": (COUNT, COUNT),
    "look": (COUNT,),
    "tell": (COUNT,),
    "fail": (),
}
AMOUNTS = {("add", 2)}


def check_arguments(word: str, arguments: list) -> None:
    kinds = COMMANDS[word]
    if len(arguments) < len(kinds):
        raise Bad("ARGUMENTS")
    for number, (kind, value) in enumerate(zip(kinds, arguments, strict=False)):
        if not kind(value):
            raise Bad("AMOUNT" if (word, number) in AMOUNTS else "ARGUMENTS")
    if len(arguments) > len(kinds):
        raise Bad("ARGUMENTS")


def tally_key(account: bytes, name: str) -> bytes:
    raw = name.encode()
    if len(raw) > 255:
        raise Refusal("kernel.KEY_TOO_LONG")
    return b"ta" + account + bytes([len(raw)]) + raw


class Machine:
    """The state machine, as far as the vectors' contract needs it."""

    def __init__(self, network: Network) -> None:
        self.network = network
        _, _, _, _, _, reads, writes, self.events_max = network.limits
        self.rows = Rows(reads, writes)
        self.nonces: dict[bytes, int] = {}
        self.head: list | None = None
        self.previous = bytes(32)
        self.checkpoint = (0, 0)
        self.state_root = bytes(32)
        self.since_checkpoint: dict[bytes, bytes] = {}
        document = network.document
        self.time_ms = document[2]
        self.members = {member[0]: member for member in document[7]}
        self.quotas = {key.rpartition(".")[2]: values for key, values in document[9]}

    def apply_genesis(self):
        for address, _, _, _, keys, threshold in self.members.values():
            self.rows.put(b"ac" + address, [address, keys, threshold, 1, 0])
        self.rows.commit()
        return self._close(0, self.time_ms)

    def apply(self, height: int, time_ms: int, batches: list[bytes]):
        """Execute a block; returns header, receipts, outcomes by batch, and the write set."""
        self.height, self.time_ms = height, time_ms
        self.receipts, self.hashes = [], []
        outcomes = [self._run(check_batch(self.network, raw)) for raw in batches]
        return (*self._close(height, time_ms, self.receipts, self.hashes, batches), outcomes)

    def _close(self, height: int, time_ms: int, receipts=(), hashes=(), batches=()):
        network, rows = self.network, self.rows
        writes = sorted(rows.block.items())
        encoded = [[key, None if row is None else pack(row)] for key, row in writes]
        for key, row in writes:
            if row is None:
                rows.committed.pop(key, None)
            else:
                rows.committed[key] = row
        rows.block = {}
        if height == 0 or time_ms - self.checkpoint[1] >= 1_000:
            self.checkpoint = (height, time_ms)
            packed = {key: pack(row) for key, row in rows.committed.items()}
            self.state_root = network.state_root(packed)
        header = pack(
            [
                1,
                height,
                time_ms,
                self.previous,
                network.list_root(list(hashes)),
                network.list_root(list(receipts)),
                network.digest(pack(encoded)),
                self.checkpoint[0],
                self.state_root,
                len(receipts),
                network.list_root([network.digest(raw) for raw in batches]),
            ]
        )
        self.previous = network.header_hash(header)
        return header, list(receipts), encoded

    # --- sponsors -------------------------------------------------------------------------------

    def _run(self, batch: Batch) -> list[int | str]:
        rows = self.rows
        rows.begin()
        sponsor = batch.sponsor
        is_member = sponsor in self.members and rows.get(tally_key(sponsor, "suspended")) is None
        if not is_member or not self._may(sponsor, SPONSOR, [batch.key_address]):
            return [item if isinstance(item, str) else "UNKNOWN_SPONSOR" for item in batch.items]
        day = self.time_ms // DAY_MS
        used = rows.get(b"su" + sponsor) or [sponsor, day, 0, 0, 0, 0]
        if used[1] != day:
            used = [sponsor, day, 0, 0, 0, used[5]]
        self.used, self.sponsor = list(used), sponsor
        quota = self.quotas[sponsor.hex()]
        outcomes = [
            self._run_item(item, size, quota)
            for item, size in zip(batch.items, batch.sizes, strict=True)
        ]
        self.used[5] = max(0, self.used[5])
        rows.begin()
        rows.put(b"su" + sponsor, self.used)
        rows.commit()
        return outcomes

    def _run_item(self, item: Envelope | str, size: int, quota: list[int]) -> int | str:
        used = self.used
        if isinstance(item, str):
            used[2] += size
            used[4] += 1
            return item
        self.rows_max = quota[3]
        wanted = [used[2] + size, used[3] + 1, used[4]]
        if any(count > most for count, most in zip(wanted, quota[:3], strict=True)):
            return "QUOTA"
        _, signers, nonce, until, calls = item.body
        try:
            if until < self.time_ms:
                raise Bad("EXPIRED")
            if until > self.time_ms + MINUTES_15:
                raise Bad("TOO_FAR_AHEAD")
            for contract, word, arguments in calls:
                if contract == "tally" and word in COMMANDS:
                    check_arguments(word, arguments)
        except Bad as bad:
            used[2] += size
            used[4] += 1
            return bad.code
        used[2] = wanted[0]
        pair = signers[0] + nonce
        if self.time_ms <= self.nonces.get(pair, -1):
            return "repeated " + item.tx_id.hex()
        self.nonces[pair] = (until // 1_000 + 1) * 1_000
        used[3] = wanted[1]
        return self._execute(item)

    # --- transactions ---------------------------------------------------------------------------

    def _execute(self, item: Envelope) -> int:
        index, events, number = len(self.receipts), [], 0
        _, self.signers, _, _, calls = item.body
        self.position = self.height << 20 | index
        self.rows.begin()
        try:
            for number, (contract, word, arguments) in enumerate(calls):  # noqa: B007 - the receipt
                if contract != "tally" or word not in COMMANDS:
                    raise Refusal("kernel.UNKNOWN_COMMAND")
                for name, values in self._call(word, arguments, len(events)):
                    events.append(["tally", name, values])
                if len(events) > self.events_max:
                    raise Refusal("kernel.TOO_MANY_EVENTS")
            grown = self.rows.count_new()
            if grown > 0 and self.used[5] + grown > self.rows_max:
                raise Refusal("kernel.TOO_MANY_ROWS")
            self.used[5] += grown
            self.rows.commit()
            receipt = [item.tx_id, 0, "", 0, events]
        except Refusal as refusal:
            self.used[4] += 1
            receipt = [item.tx_id, 1, refusal.code, number, []]
        except LookupError:
            self.used[4] += 1
            receipt = [item.tx_id, 2, "kernel.FAILED", number, []]
        self.receipts.append(pack(receipt))
        self.hashes.append(item.hash)
        return index

    def _may(self, address: bytes, purpose: int, signers: list[bytes], amount: int = 0) -> bool:
        """Whether these keys may act for the account; notes if only their limits say no."""
        account = self.rows.get(b"ac" + address)
        if account is None:
            return address in signers
        weight = limited = 0
        for key, purposes, key_weight, limit in account[1]:
            if purposes & purpose and key in signers:
                if 0 < limit < amount:
                    limited += key_weight
                else:
                    weight += key_weight
        self.is_limited = weight < account[2] <= weight + limited
        return weight >= account[2]

    def _require(self, address: bytes, purpose: int, amount: int = 0) -> None:
        self.is_limited = False
        if not self._may(address, purpose, self.signers, amount):
            code = "OVER_KEY_LIMIT" if self.is_limited else "NOT_AUTHORIZED"
            raise Refusal(f"kernel.{code}")

    def _call(self, word: str, arguments: list, earlier: int) -> list:
        return getattr(self, "_" + word)(*arguments, *([earlier] if word == "add" else []))

    def _add(self, account: bytes, name: str, amount: int, earlier: int) -> list:
        self._require(account, PAY, amount)
        row = self.rows.get(tally_key(account, name)) or [account, name, 0, 0]
        value = row[2] + amount
        if value > INT64_MAX:
            raise Refusal("tally.FULL")
        self.rows.put(tally_key(account, name), [account, name, value, self.position])
        delta = ["wallet", account, "TAL", amount, value, row[3]]
        return [("Added", [[delta], name, earlier])]

    def _drop(self, account: bytes, name: str) -> list:
        self._require(account, MANAGE)
        if self.rows.get(tally_key(account, name)) is None:
            raise Refusal("tally.UNKNOWN")
        self.rows.put(tally_key(account, name), None)
        return [("Dropped", [[], name])]

    def _bind(self, address: bytes, keys: list, threshold: int) -> list:
        self._require(address, MANAGE)
        self.rows.put(b"ac" + address, [address, keys, threshold, 1, 0])
        return [("Bound", [[], address])]

    def _mark(self, first: int, count: int) -> list:
        for number in range(first, first + count):
            self.rows.put(b"tm" + number.to_bytes(8, "big"), [number])
        return []

    def _look(self, count: int) -> list:
        for number in range(count):
            self.rows.get(b"tm" + number.to_bytes(8, "big"))
        return []

    def _tell(self, count: int) -> list:
        return [("Told", [[], number]) for number in range(count)]

    def _fail(self) -> list:
        raise LookupError("this contract has a bug")
