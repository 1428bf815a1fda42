"""What the shape of an entry says of its fields: which text is which, in all versions.

The versions differ in where they put things, not in what they call them: a table of paths serves
all, and where a version has two ways for one field, both are in it.

Source: ISO 20022 message definitions camt.052, camt.053 and camt.054, `ReportEntry` and
`EntryTransaction`, versions 01 to 08.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from hansa.reconcile.currencies import DIGITS_USUAL, count_digits, is_currency
from hansa.reconcile.readers.camt.markup import NONE, Tag

_TRANSACTIONS = ("NtryDtls/TxDtls", "TxDtls")
"""The second of version 01."""
_ACCOUNTS = ("Id/IBAN", "Id/Othr/Id", "Id/BBAN", "Id/PrtryAcct/Id", "Id/UPIC")
_NAMES = ("Nm", "Pty/Nm", "Agt/FinInstnId/Nm", "Agt/FinInstnId/BICFI")
_TEXTS = (
    "RmtInf/Ustrd",
    "RmtInf/Strd/CdtrRefInf/Ref",
    "RmtInf/Strd/CdtrRefInf/CdtrRef",
    "RmtInf/Strd/RfrdDocInf/Nb",
    "RmtInf/Strd/RfrdDocInf/RfrdDocNb",
    "RmtInf/Strd/AddtlRmtInf",
)
_ORDERED = ("AmtDtls/InstdAmt/Amt", "Amt", "AmtDtls/TxAmt/Amt")
"""Amounts that may be in another currency than the account's, in order of precedence."""
_BOOKED = ("Amt", "AmtDtls/TxAmt/Amt", "AmtDtls/CntrValAmt/Amt", "AmtDtls/InstdAmt/Amt")
"""Amounts of a transaction that are what was booked if they are in the account's currency."""
_ROLES = tuple(f"RltdPties/{role}{side}" for role in ("", "Ultmt") for side in ("Dbtr", "Cdtr"))
_CODES = ("BkTxCd/Domn/Cd", "BkTxCd/Domn/Fmly/Cd", "BkTxCd/Domn/Fmly/SubFmlyCd")
_ONCE_IN_BOTH = {
    **{path: path for path in ("Amt", "CdtDbtInd", *_ORDERED, *_CODES, "BkTxCd/Prtry/Cd")},
}
_ONCE_IN_ENTRY = {
    **_ONCE_IN_BOTH,
    "RvslInd": "RvslInd",
    **dict.fromkeys(("Sts", "Sts/Cd", "Sts/Prtry"), "Sts"),
    **dict.fromkeys(("BookgDt/Dt", "BookgDt/DtTm"), "BookgDt"),
    **dict.fromkeys(("ValDt/Dt", "ValDt/DtTm"), "ValDt"),
    **{path: path for path in ("AcctSvcrRef", "NtryRef", "AddtlNtryInf")},
}
"""What is read of an entry and may stand in it once, by path: as which field it is told."""
_ONCE_IN_TRANSACTION = {
    **_ONCE_IN_BOTH,
    **{
        f"Refs/{name}": f"Refs/{name}"
        for name in ("EndToEndId", "InstrId", "AcctSvcrRef", "UETR", "TxId", "ClrSysRef")
    },
    **{path: path for path in (*_BOOKED, "AddtlTxInf")},
    **{path: path for path in (f"{role}/{name}" for role in _ROLES for name in _NAMES)},
    **{
        path: path
        for path in (
            f"RltdPties/{side}Acct/{name}" for side in ("Dbtr", "Cdtr") for name in _ACCOUNTS
        )
    },
}


@dataclass(slots=True)
class Charge:
    """An amount of charges, and its direction."""

    amount: int
    currency: str
    sign: int = NONE


class Again(NamedTuple):
    """Texts of an element that may stand once, and stands there again."""

    name: str
    texts: tuple[int, ...]
    currencies: tuple[str, ...]


@dataclass(slots=True)
class Row:
    """Indices of the texts that make one row: of an entry, or of a transaction in it."""

    amount: int = NONE
    """In the account's currency."""
    is_before_charges: bool = False
    """Whether the amount is what was instructed, from which charges may have come off."""
    sign: int = NONE
    reference: int = NONE
    instruction: int = NONE
    batch_reference: int = NONE
    bank_reference: int = NONE
    transaction_id: int = NONE
    code: tuple[int, ...] = ()
    debtor: int = NONE
    debtor_account: int = NONE
    creditor: int = NONE
    creditor_account: int = NONE
    texts: tuple[int, ...] = ()
    original: int = NONE
    original_currency: str = ""
    charges_total: int = NONE
    charges: tuple[Charge, ...] = ()


@dataclass(slots=True)
class Layout:
    """Indices of the texts of an entry."""

    amount: int = NONE
    currency: str = ""
    is_cents: bool = False
    """Whether it says a currency, and one that has two decimals, as most have."""
    sign: int = NONE
    reversal: int = NONE
    status: int = NONE
    booking: int = NONE
    value: int = NONE
    batch: tuple[int, ...] = ()
    """What may name it as a whole, in order of precedence."""
    transactions: int = 0
    """How many are there."""
    transactions_told: int = NONE
    whole: Row = field(default_factory=Row)
    """Of an entry with one transaction, of that, too; of one with several, of none of them."""
    parts: tuple[Row, ...] = ()
    """Of an entry with several transactions."""
    again: tuple[Again, ...] = ()
    """What stands more than once in it, and may not: mostly nothing."""


class _Leaves:
    """Texts of an entry, or of a transaction in it, by path, in the order of the document."""

    def __init__(self, once: dict[str, str], root: str) -> None:
        self._once = once
        self._root = root
        self._several: dict[str, list[Charge]] = {}
        self.first: dict[str, Charge] = {}
        self.texts: list[int] = []
        self.charges: list[Charge] = []
        self.total: list[Charge] = []

    def add(self, path: str, index: int, currency: str) -> None:
        if path in _TEXTS:
            self.texts.append(index)
        elif path == "Chrgs/TtlChrgsAndTaxAmt":
            self.total.append(Charge(index, currency))
        elif path in {"Chrgs/Amt", "Chrgs/Rcrd/Amt"}:
            self.charges.append(Charge(index, currency))
        elif path in {"Chrgs/CdtDbtInd", "Chrgs/Rcrd/CdtDbtInd"} and self.charges:
            self.charges[-1].sign = index
        self.first.setdefault(path, Charge(index, currency))
        name = self._once.get(path)
        if name is not None:
            self._several.setdefault(name, []).append(Charge(index, currency))

    def find_again(self) -> list[Again]:
        """Find what may stand once, and stands here again."""
        return [
            Again(
                f"{self._root}/{name}",
                tuple(each.amount for each in several),
                tuple(each.currency for each in several),
            )
            for name, several in self._several.items()
            if len(several) > 1
        ]

    def find(self, *paths: str) -> int:
        """Find the first of these paths that is there."""
        for path in paths:
            if path in self.first:
                return self.first[path].amount
        return NONE

    def find_all(self, *paths: str) -> tuple[int, ...]:
        """Find the first text of each of these paths that is there."""
        return tuple(self.first[path].amount for path in paths if path in self.first)

    def find_code(self) -> tuple[int, ...]:
        """Find the parts of the transaction's code: of ISO's domain, or else the bank's own."""
        return self.find_all(*_CODES) or self.find_all("BkTxCd/Prtry/Cd")


def find_layout(tags: Sequence[Tag]) -> Layout:
    """Find the fields of an entry by its tags, the first of which begins it."""
    entry, transactions = _gather(tags)
    amount = entry.first.get("Amt")
    currency = amount.currency if amount else ""
    batch = ("NtryDtls/Btch/PmtInfId", "Btch/PmtInfId", "NtryDtls/Btch/MsgId", "Btch/MsgId")
    naming = ("AcctSvcrRef", *batch, "NtryRef")
    only = transactions[0] if len(transactions) == 1 else _begin_transaction()
    whole = _find_row(only, entry, currency)
    whole.batch_reference = entry.find(*batch)
    if not whole.texts:
        whole.texts = entry.find_all("AddtlNtryInf")
    return Layout(
        amount=entry.find("Amt"),
        currency=currency,
        is_cents=is_currency(currency) and count_digits(currency) == DIGITS_USUAL,
        sign=entry.find("CdtDbtInd"),
        reversal=entry.find("RvslInd"),
        status=entry.find("Sts", "Sts/Cd", "Sts/Prtry"),
        booking=entry.find("BookgDt/Dt", "BookgDt/DtTm"),
        value=entry.find("ValDt/Dt", "ValDt/DtTm"),
        batch=entry.find_all(*naming),
        transactions=len(transactions),
        transactions_told=entry.find("NtryDtls/Btch/NbOfTxs", "Btch/NbOfTxs"),
        whole=whole,
        parts=tuple(_find_row(each, entry, currency) for each in transactions)
        if len(transactions) > 1
        else (),
        again=tuple(again for leaves in (entry, *transactions) for again in leaves.find_again()),
    )


def _begin_transaction() -> _Leaves:
    return _Leaves(_ONCE_IN_TRANSACTION, "Ntry/NtryDtls/TxDtls")


def _find_row(own: _Leaves, entry: _Leaves, currency: str) -> Row:
    """Find the fields of a row: in its transaction, or else in the entry that it belongs to."""
    booked = next(
        (
            path
            for path in _BOOKED
            if path in own.first and own.first[path].currency in {"", currency}
        ),
        "",
    )
    ordered = [
        leaves.first[path]
        for leaves in (own, entry)
        for path in _ORDERED
        if path in leaves.first and (leaves is own or path != "Amt")
    ]
    foreign = next((each for each in ordered if each.currency not in {"", currency}), None)
    charged = own if own.total or own.charges else entry
    totals = [each for each in charged.total if each.currency in {"", currency}]
    return Row(
        amount=own.find(booked),
        is_before_charges=booked == "AmtDtls/InstdAmt/Amt",
        sign=own.find("CdtDbtInd"),
        reference=own.find("Refs/EndToEndId"),
        instruction=own.find("Refs/InstrId"),
        bank_reference=own.find("Refs/AcctSvcrRef")
        if "Refs/AcctSvcrRef" in own.first
        else entry.find("AcctSvcrRef"),
        transaction_id=own.find("Refs/UETR", "Refs/TxId", "Refs/ClrSysRef"),
        code=own.find_code() or entry.find_code(),
        debtor=_find_party(own, "Dbtr"),
        debtor_account=own.find(*(f"RltdPties/DbtrAcct/{path}" for path in _ACCOUNTS)),
        creditor=_find_party(own, "Cdtr"),
        creditor_account=own.find(*(f"RltdPties/CdtrAcct/{path}" for path in _ACCOUNTS)),
        texts=tuple(own.texts) or own.find_all("AddtlTxInf"),
        original=foreign.amount if foreign else NONE,
        original_currency=foreign.currency if foreign else "",
        charges_total=totals[0].amount if totals else NONE,
        charges=tuple(each for each in charged.charges if each.currency in {"", currency}),
    )


def _find_party(own: _Leaves, side: str) -> int:
    """Find the name of a party, or else of whom it acts for."""
    return own.find(
        *(f"RltdPties/{role}{side}/{name}" for role in ("", "Ultmt") for name in _NAMES)
    )


def _gather(tags: Sequence[Tag]) -> tuple[_Leaves, list[_Leaves]]:
    entry = _Leaves(_ONCE_IN_ENTRY, "Ntry")
    transactions: list[_Leaves] = []
    for path, tag in _walk(tags):
        within = next((root for root in _TRANSACTIONS if path.startswith(root)), None)
        if within is None or (path != within and path[len(within)] != "/"):
            if tag is not None:
                entry.add(path, tag.text, tag.currency)
        elif path == within:
            transactions.append(_begin_transaction())
        elif tag is not None:
            transactions[-1].add(path[len(within) + 1 :], tag.text, tag.currency)
    return entry, transactions


def _walk(tags: Sequence[Tag]) -> Iterator[tuple[str, Tag | None]]:
    """Walk the elements within an entry: path, and of one that has but text its start tag.

    Elements of other namespaces, and what is in them, are left out.
    """
    path: list[str] = []
    for tag, after in zip(tags[1:], [*tags[2:], None], strict=False):
        if tag.is_start:
            path.append(tag.name)
            is_leaf = tag.is_end or (after is not None and not after.is_start)
            if all(path):
                yield "/".join(path), tag if is_leaf else None
        if tag.is_end and path:
            path.pop()
