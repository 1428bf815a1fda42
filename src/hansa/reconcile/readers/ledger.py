"""Hansa's own ledger as a side: what confirmed transactions moved on given accounts, as entries.

A movement is what an event changes in an owner's money as a whole: reserving it moves nothing, so
a hold makes no entry, and taking it makes one of what was taken. Each entry is booked, on the
civil day of its block in the ledger's zone. Refused transactions moved nothing.

An account is an owner's money of one asset: a wallet's by its address, with the asset behind it if
that is a deposit, and an operator's vault by `vault:` before it. Amounts become minor units of
ISO 4217, whatever exponent the asset has.

Source: docs/reference/audit.md (deltas).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from hansa.contracts import payments
from hansa.kernel.block import BlockRecord, Receipt, Status, decode_header, decode_receipt
from hansa.kernel.calendar import day_number
from hansa.kernel.contract import Delta, Event, Ledger
from hansa.kernel.crypto.address import from_text, to_text
from hansa.kernel.values import INT64_MAX
from hansa.reconcile.currencies import count_digits
from hansa.reconcile.entries import Entry, Fault, Finding, Kind, Part, Severity, Statement
from hansa.reconcile.readers.parts import ENTRIES_MAX, FINDINGS_MAX, build_batch

VAULT = "vault:"
"""Before the address of an operator whose vault is meant."""
_PAYING: tuple[type[Event], ...] = (
    payments.Transferred,
    payments.Posted,
    payments.Refunded,
    payments.Converted,
)
_FIELDS = {(payments.NAME, event.__name__): event.__struct_fields__ for event in _PAYING}
_IS_VAULT: dict[str, bool] = {Ledger.WALLET: False, Ledger.HELD: False, Ledger.VAULT: True}
"""Ledgers that are money of its owner; what was issued is what its issuer owes."""

Key = tuple[bool, bytes, str]
"""Whether it is a vault, its owner, the asset."""


class Owner(NamedTuple):
    """Whose money, and of which kind."""

    address: bytes
    is_vault: bool = False
    """An operator's vault; if not, a wallet."""


class Confirmed(NamedTuple):
    """Transactions that are confirmed in one block."""

    height: int
    time_ms: int
    receipts: tuple[Receipt, ...]
    """In the block's order."""


class _Account:
    """An account that moved: what was on it of the ledgers that were touched, in asset units."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.opening = 0
        self.balances: dict[str, int] = {}
        self.count = self.booked_minor = 0
        self.first_day = self.last_day = 0

    def follow(self, delta: Delta, day: int) -> None:
        """Follow a change of a balance."""
        if not self.balances:
            self.first_day = day
        self.last_day = day
        if delta.ledger not in self.balances:
            self.opening += delta.balance_minor - delta.amount_minor
        self.balances[delta.ledger] = delta.balance_minor


def decode_block(record: BlockRecord) -> Confirmed:
    """Decode of a block what entries are made of.

    Raises:
      Invalid: its header or a receipt cannot be read.
    """
    header = decode_header(record.header)
    return Confirmed(header.height, header.time_ms, tuple(map(decode_receipt, record.receipts)))


def read_ledger(
    blocks: Iterable[Confirmed],
    owners: Collection[Owner],
    *,
    offset_minutes: int = 0,
    exponents: Mapping[str, int] | None = None,
) -> Iterator[Part]:
    """Read confirmed blocks, in order, into parts; memory grows with the accounts that moved.

    Args:
      blocks: of one network, without a block missing between two.
      owners: whose accounts are read, of all assets.
      offset_minutes: of the ledger's zone, which tells days.
      exponents: decimals of assets that have not those of their currency.
    """
    reader = _Reader(frozenset(owners), offset_minutes, exponents or {})
    for block in blocks:
        for place, receipt in enumerate(block.receipts):
            if receipt.status is Status.OK:
                reader.read(block, place, receipt)
        yield from reader.take()
    yield from reader.finish()


class _Reader:
    def __init__(
        self, owners: frozenset[Owner], offset_minutes: int, exponents: Mapping[str, int]
    ) -> None:
        self._owners = {(each.is_vault, each.address) for each in owners}
        self._offset, self._exponents = offset_minutes, exponents
        self._accounts: dict[Key, _Account] = {}
        self._entries: list[Entry] = []
        self._findings: list[Finding] = []

    def read(self, block: Confirmed, place: int, receipt: Receipt) -> None:
        """Read what a transaction moved."""
        day = day_number(block.time_ms, self._offset)
        for contract, name, fields in receipt.events:
            moved: dict[Key, int] = {}
            for delta in msgspec.convert(fields[0], list[Delta]):
                if delta.ledger in _IS_VAULT:
                    key = _IS_VAULT[delta.ledger], delta.owner, delta.asset
                    moved[key] = moved.get(key, 0) + delta.amount_minor
                    if key[:2] in self._owners:
                        self._open(key).follow(delta, day)
            reference, text = _describe(contract, name, fields)
            template = Entry(
                "",
                "",
                0,
                day,
                day,
                bank_reference=f"{block.height}/{place}",
                transaction_id=receipt.tx_id.hex(),
                code=f"{contract}.{name}",
                line=block.height,
                booked_at_s=block.time_ms // 1_000 + self._offset * 60,
                booked_offset_minutes=self._offset,
                reference=reference,
                text=text,
            )
            for key, amount in moved.items():
                if amount and key[:2] in self._owners:
                    self._add(key, amount, _find_other(moved, amount), template)

    def take(self) -> Iterator[Part]:
        """Give a part if enough has come together."""
        if len(self._entries) >= ENTRIES_MAX or len(self._findings) >= FINDINGS_MAX:
            yield from self._give()

    def finish(self) -> Iterator[Part]:
        """Give what is left, and a statement of each account that moved."""
        statements = tuple(self._end(key, account) for key, account in self._accounts.items())
        yield from self._give(statements)

    def _give(self, statements: tuple[Statement, ...] = ()) -> Iterator[Part]:
        entries, findings = self._entries, self._findings
        self._entries, self._findings = [], []
        if entries or findings or statements:
            yield Part(build_batch(entries), statements, tuple(findings))

    def _open(self, key: Key) -> _Account:
        account = self._accounts.get(key)
        if account is None:
            account = self._accounts[key] = _Account(len(self._accounts))
        return account

    def _add(self, key: Key, amount: int, other: Key | None, template: Entry) -> None:
        account = self._accounts[key]
        minor = self._convert(amount, key[2])
        if minor is None:
            text = (
                f"{amount} units of {key[2]} are no whole number of minor units of its currency, "
                "or too many: name the asset's exponent, or reconcile it apart"
            )
            raw = f"{_name(key)} {template.transaction_id} {amount}"
            where = template.line, "amount_minor"
            self._findings.append(Finding(Severity.ERROR, Fault.FIELD, *where, text, raw))
            return
        account.count += 1
        account.booked_minor += minor
        entry = template._replace(
            account=_name(key),
            currency=_get_currency(key[2]),
            amount_minor=minor,
            counterparty_account="" if other is None else _name(other),
            statement=account.index,
        )
        self._entries.append(entry)

    def _convert(self, amount: int, asset: str) -> int | None:
        """Convert to minor units of the currency; None if there is no such whole number."""
        digits = count_digits(_get_currency(asset))
        exponent = self._exponents.get(asset, digits)
        minor, rest = divmod(amount * 10**digits, 10**exponent)
        return None if rest or abs(minor) > INT64_MAX else minor

    def _end(self, key: Key, account: _Account) -> Statement:
        return Statement(
            Kind.LIST,
            _name(key),
            _get_currency(key[2]),
            from_date=account.first_day,
            to_date=account.last_day,
            opening_minor=self._convert(account.opening, key[2]),
            closing_minor=self._convert(sum(account.balances.values()), key[2]),
            entries=account.count,
            booked_minor=account.booked_minor,
        )


def _find_other(moved: Mapping[Key, int], amount: int) -> Key | None:
    """Find the one account that moved the other way; None if there are several, or none."""
    others = [key for key, each in moved.items() if each * amount < 0]
    return others[0] if len(others) == 1 else None


def _describe(contract: str, name: str, fields: list[Any]) -> tuple[str, str]:
    """Give reference and text of a payment's event: a refund has its own, and the payment's."""
    named = dict(zip(_FIELDS.get((contract, name), ()), fields, strict=False))
    reference = str(named.get("end_to_end_id", ""))
    refund = named.get("refund_id")
    return (reference, "") if refund is None else (str(refund), reference)


def name_owner(owner: Owner) -> str:
    """Name an owner, as `parse_owner` reads it."""
    return f"{VAULT if owner.is_vault else ''}{to_text(owner.address)}"


def parse_owner(text: str) -> Owner:
    """Parse an owner: an address, of a vault behind `vault:`.

    Raises:
      Invalid: it is none.
    """
    return Owner(from_text(text.removeprefix(VAULT)), text.startswith(VAULT))


def _name(key: Key) -> str:
    is_vault, address, asset = key
    deposit = "" if asset == _get_currency(asset) else f"/{asset}"
    return f"{name_owner(Owner(address, is_vault))}{deposit}"


def _get_currency(asset: str) -> str:
    """Get the currency of an asset: M0 is named as it, a deposit `<currency>.<short name>`."""
    return asset.partition(".")[0]
