"""Hansa: digital money, identity and trust for the institutions of a city or a country."""

__version__ = "0.1.0"

from hansa.compiled import use_compiled

use_compiled()
