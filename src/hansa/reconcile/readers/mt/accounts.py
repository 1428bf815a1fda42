"""Accounts as statements name them: an IBAN, or what the bank calls it, with or without currency.

Source: ISO 13616 (IBAN), ISO 7064 (its check digits, mod 97-10).
"""

from __future__ import annotations

import re
from functools import lru_cache

ACCOUNT_LETTERS_MAX = 64
_IBAN = re.compile("[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_WITH_CURRENCY = re.compile("(.*[0-9/ ])([A-Z]{3})")
_AS_IBAN = re.compile("[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")


@lru_cache(maxsize=4_096)
def is_iban(text: str) -> bool:
    """Whether this is an IBAN, without blanks, by its form and check digits.

    Example:
      >>> is_iban("DE02120300000000202051"), is_iban("DE03120300000000202051")
      (True, False)
    """
    if not _IBAN.fullmatch(text):
        return False
    return int("".join(str(int(letter, 36)) for letter in text[4:] + text[:4])) % 97 == 1


def parse_account(text: str) -> tuple[str, str]:
    """Parse what `:25:` says: the account, and its currency where that stands behind it.

    An IBAN comes without blanks, currency and what stands before it, also one whose check digits
    are wrong; any other account as it is written.

    Example:
      >>> parse_account("DE02 1203 0000 0000 2020 51 EUR"), parse_account("1291.99.348EUR")
      (('DE02120300000000202051', 'EUR'), ('1291.99.348EUR', 'EUR'))
    """
    packed = text.replace(" ", "").removeprefix("/")
    if is_iban(packed):  # some of which end in a currency
        return packed, ""
    found = _WITH_CURRENCY.fullmatch(text)
    name = packed.removesuffix(found[2]).removesuffix("/") if found else packed
    _, slash, behind_bank = name.partition("/")
    if slash and is_iban(behind_bank):
        name = behind_bank
    return name if _AS_IBAN.fullmatch(name) else text, found[2] if found else ""
