"""Field `:86:`, the details of a movement, in the forms that banks give it.

- numbered: `166?00GUTSCHRIFT?20EREF+…?21SVWZ+…?30BIC?31IBAN?32NAME`, by whatever sign divides it;
- coded: `/TRTP/SEPA/IBAN/NL…/NAME/…/REMI/…/EREF/…`;
- labelled, as single banks write; and words alone, which some begin with the other's IBAN.

Source: Deutsche Kreditwirtschaft, DFÜ-Abkommen, appendix 3, chapter 8 (numbered); Rabobank, ING and
ABN AMRO, format descriptions of MT940 structured (coded); MultiCash (`:NS:`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hansa.reconcile.readers.mt.accounts import is_iban

LINE_LETTERS = 65
"""Of a full line; where banks cut, words go on in the next."""
PART_LETTERS = 27
"""Of a full part of the numbered form."""
_NUMBERED = re.compile(r"\s*([0-9]{3})?([?<>~^@|])(?=[0-9]{2})")
_KEY = re.compile(
    r"(EREF|KREF|MREF|CRED|DEBT|BREF|RREF|COAM|OAMT|SVWZ|ABWA|ABWE|IBAN|BIC|PURP)\+|(MTLG):"
)
_COLON_KEY = re.compile(r"\b(EREF|KREF|MREF|CRED|SVWZ|ABWA|IBAN|BIC): ?")
_CODES = (
    "ACCW ADDR BENM BIC BO1 BUSP CNTP CREF CSID CUST EREF IBAN INIT ISDT KREF MARF NAME ORDP PREF "
    "PURP REMI RTRN SVCL TRCD TRTP ULTB ULTC ULTD"
)
_CODE = re.compile(f"/({'|'.join(_CODES.split())})/")
_KNAB = re.compile("REK: ([A-Z0-9]+)/NAAM: ")
_MBANK = re.compile(
    "Z RACH[.]: (?P<account>[0-9]{26}); OD: (?P<name>[^;]*); TYT[.]: (?P<text>.*?) ?; TNR:"
)
_ABN_LABEL = re.compile(
    "(IBAN|BIC|NAAM|OMSCHRIJVING|KENMERK|MACHTIGING|INCASSANT|BETALINGSKENM[.]): ?"
)
"""ABN AMRO, of payments by SEPA."""
_IBAN_FIRST = re.compile(r"([A-Z]{2}[0-9]{2}[A-Z]{4}[0-9]{10}) +(\S.*)")
"""SNS, ASN and RegioBank: the Netherlands alone."""
_BIC = re.compile("[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?")
_BANK_NUMBER = re.compile("[0-9]{8}")
_NON_SWIFT = re.compile("([0-9]{2})(.*)")


class Details(NamedTuple):
    """What `:86:` tells of a movement; empty where it does not."""

    text: str = ""
    end_to_end: str = ""
    customer_reference: str = ""
    bank_reference: str = ""
    counterparty: str = ""
    counterparty_account: str = ""
    business_code: str = ""
    """Kind of transaction at German banks, three digits (Geschäftsvorfallcode)."""


def parse_details(lines: Sequence[str]) -> Details:
    """Parse the lines of `:86:`, in whichever form they are; words alone always are one.

    Example:
      >>> parse_details(["166?20EREF+A1?21SVWZ+Rent?32Ada"])[:5]
      ('Rent', 'A1', '', '', 'Ada')
    """
    first = lines[0] if lines else ""
    numbered = _NUMBERED.match(first)
    if numbered:
        return _parse_numbered(_join(lines, numbered[2]), numbered)
    if first.lstrip().startswith("/") and any(map(_CODE.search, lines)):
        return _parse_coded(_join(lines, "/").lstrip())
    return _parse_words(lines)


def parse_non_swift(lines: Sequence[str]) -> Details:
    """Parse the lines of `:NS:`, each with a number: 01 to 14 what for, 15 and 16 whose."""
    parts: dict[str, str] = {}
    for line in lines:
        found = _NON_SWIFT.fullmatch(line)
        if found is None:
            return Details(_join_words(lines))
        parts[found[1]] = found[2]
    return Details(
        text=_tidy(" ".join(value for code, value in parts.items() if "01" <= code <= "14"))
        or _tidy(parts.get("17", "")),
        counterparty=_tidy(f"{parts.get('15', '')} {parts.get('16', '')}"),
        counterparty_account=parts.get("34", "").strip(),
    )


def _join(lines: Sequence[str], divider: str) -> str:
    """Join lines of a fixed width, which end anywhere; a blank that was cut off comes back."""
    is_full = any(len(line) == LINE_LETTERS for line in lines)
    joined = []
    for line, following in zip(lines, [*lines[1:], divider], strict=True):
        is_cut = is_full and len(line) == LINE_LETTERS - 1 and not following.startswith(divider)
        joined.append(line + " " if is_cut else line)
    return "".join(joined)


def _parse_numbered(text: str, numbered: re.Match[str]) -> Details:
    pieces = re.split(re.escape(numbered[2]) + "([0-9]{2})", text[numbered.start(2) :])
    parts: dict[str, str] = {}
    for code, value in zip(pieces[1::2], pieces[2::2], strict=True):
        parts[code] = parts.get(code, "") + value
    purpose = _join_parts([value for code, value in parts.items() if code[0] == "2"])
    more = _join_parts([value for code, value in parts.items() if "60" <= code <= "63"])
    keys = _split_keys(purpose)
    told = (keys.get("", ""), keys.get("SVWZ", ""), keys.get("MTLG", ""), more)
    return Details(
        text=_tidy(" ".join(told)) or _tidy(parts.get("00", "")),
        end_to_end=keys.get("EREF", "").strip(),
        customer_reference=keys.get("KREF", "").strip(),
        bank_reference=keys.get("BREF", "").strip(),
        counterparty=_tidy(_join_parts([parts.get("32", ""), parts.get("33", "")])),
        counterparty_account=_find_account(parts) or keys.get("IBAN", "").strip(),
        business_code=numbered[1] or "",
    )


def _join_parts(parts: Sequence[str]) -> str:
    """Join parts of the numbered form: words go on behind a full one only."""
    return "".join(part if len(part) == PART_LETTERS else part + " " for part in parts)


def _split_keys(purpose: str) -> Mapping[str, str]:
    """Split `EREF+…SVWZ+…` by keys; what stands before the first is under the empty one."""
    pieces = _KEY.split(purpose)
    if len(pieces) > 1:
        names = [plus or colon for plus, colon in zip(pieces[1::3], pieces[2::3], strict=True)]
        values = pieces[3::3]
    else:
        pieces = _COLON_KEY.split(purpose)
        names, values = pieces[1::2], pieces[2::2]
    keys = {"": pieces[0]}
    for name, value in zip(names, values, strict=True):
        keys.setdefault(name, value)
    return keys


def _find_account(parts: Mapping[str, str]) -> str:
    """Find whose account it is: its IBAN, or as `:25:` has it, `bank number/account`."""
    account, bank = parts.get("31", "").strip(), parts.get("30", "").strip()
    iban = parts.get("38", "").replace(" ", "")
    if iban or not account or is_iban(account):
        return iban or account
    return f"{bank}/{account}" if _BANK_NUMBER.fullmatch(bank) and account.isdigit() else account


def _parse_coded(text: str) -> Details:
    pieces = _CODE.split(text)
    codes: dict[str, str] = {}
    for code, value in zip(pieces[1::2], pieces[2::2], strict=True):
        codes.setdefault(code, value.strip().strip("/"))
    account, name = _find_party(codes)
    purpose = codes.get("REMI", text).removeprefix("USTD//").removeprefix("STRD/CUR/")
    return Details(
        text=_tidy(purpose.rpartition("/CDTRREF/")[2]),
        end_to_end=codes.get("EREF", ""),
        customer_reference=codes.get("KREF", ""),
        counterparty=_tidy(name),
        counterparty_account=account,
    )


def _find_party(codes: Mapping[str, str]) -> tuple[str, str]:
    """Find account and name: by codes of their own, or by their places within one."""
    parts = next((codes[code] for code in ("CNTP", "BENM", "ORDP") if codes.get(code)), "")
    first, *others = parts.split("/")
    is_account = any(letter.isdigit() for letter in first) and " " not in first
    account = codes.get("IBAN") or codes.get("ACCW", "").split(",")[0]
    if not is_account:
        return account, codes.get("NAME") or first
    names = [part for part in others if not _BIC.fullmatch(part)]
    return account or first, codes.get("NAME") or next(iter(names), "")


def _parse_words(lines: Sequence[str]) -> Details:
    found = _IBAN_FIRST.fullmatch(lines[0].rstrip()) if lines else None
    if found:
        return Details(_join_words(lines[1:]), counterparty=found[2], counterparty_account=found[1])
    text = _join_words(lines)
    if text.startswith("SEPA ") and "NAAM: " in text:
        return _parse_abn_labels(text)
    knab = _KNAB.search(text)
    if knab:
        text, name = text[: knab.start()].strip(), text[knab.end() :]
        return Details(text, counterparty=name, counterparty_account=knab[1])
    mbank = _MBANK.search(text)
    if mbank:
        account, name, text = mbank["account"], mbank["name"].strip(), mbank["text"]
        return Details(text, counterparty=name, counterparty_account=account)
    return Details(text)


def _parse_abn_labels(text: str) -> Details:
    pieces = _ABN_LABEL.split(text)
    labels = {label: value.strip() for label, value in zip(pieces[1::2], pieces[2::2], strict=True)}
    return Details(
        text=labels.get("OMSCHRIJVING") or labels.get("BETALINGSKENM.") or text,
        end_to_end=labels.get("KENMERK", ""),
        counterparty=labels.get("NAAM", ""),
        counterparty_account=labels.get("IBAN", ""),
    )


def _join_words(lines: Sequence[str]) -> str:
    """Join lines of words by a blank, and behind those of full width by none."""
    joined = "".join(line if len(line) == LINE_LETTERS else line + " " for line in lines)
    return _tidy(joined)


def _tidy(text: str) -> str:
    return " ".join(text.split())
