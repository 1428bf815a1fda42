"""Currencies: whether a code is one by its form, and how small its minor unit is.

Source: ISO 4217 list one, minor units; https://www.six-group.com/en/products-services/
financial-information/data-standards.html.
"""

from __future__ import annotations

import re

DIGITS_USUAL = 2
DIGITS = {
    **dict.fromkeys(["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"], 0),
    **dict.fromkeys(["UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"], 0),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}
"""Decimal places of those whose minor unit is not a hundredth."""
_CODE = re.compile("[A-Z]{3}")


def is_currency(code: str) -> bool:
    """Whether this is a currency's code by its form: three capital letters."""
    return _CODE.fullmatch(code) is not None


def count_digits(currency: str) -> int:
    """Count the decimal places of a currency's minor unit."""
    return DIGITS.get(currency, DIGITS_USUAL)


def write_amount(minor: int, currency: str) -> str:
    """Write minor units as an amount, for people.

    Example:
      >>> write_amount(-123450, "EUR"), write_amount(7, "KWD"), write_amount(70, "JPY")
      ('-1234.50 EUR', '0.007 KWD', '70 JPY')
    """
    places = count_digits(currency)
    digits = str(abs(minor)).rjust(places + 1, "0")
    whole, decimals = digits[: len(digits) - places], digits[len(digits) - places :]
    sign, point = "-" if minor < 0 else "", "." if places else ""
    return f"{sign}{whole}{point}{decimals} {currency}".rstrip()
