"""Where the console's files lie, and the environment that its templates are filled in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2

import hansa
from hansa.contracts.identity.accreditation import NETWORK
from hansa.kernel.calendar import DAY_MS, YEAR_MAX, days_from_civil
from hansa.kernel.crypto.address import to_text
from hansa.kernel.crypto.hashing import ZERO_HASH
from hansa.node.api.codes import CODES, describe_refusal
from hansa.node.api.problems import API_PAGE, CODES_PAGE, name_type
from hansa.node.console.text import words
from hansa.node.console.text.formatting import (
    format_bytes,
    format_duration,
    format_minor,
    format_rate,
    format_round,
    format_share,
    shorten,
    split_middle,
)
from hansa.node.web import files

FOLDER = Path(__file__).parent


def build_environment(
    name_file: Callable[[str], str], navigation: list[tuple[str, str]]
) -> jinja2.Environment:
    """Build the environment of the templates, with our formats.

    Args:
      name_file: gives the path under which browsers ask for a file of the console.
      navigation: (path, label) of the pages that every page links to.
    """
    environment = files.build_environment(FOLDER / "templates")
    names: Mapping[str, Any] = {
        "static": name_file,
        "words": words,
        "codes": CODES,
        "codes_page": CODES_PAGE,
        "api_page": API_PAGE,
        "describe_refusal": describe_refusal,
        "name_type": name_type,
        "version": hansa.__version__,
        "navigation": navigation,
        "address_text": to_text,
        "split_middle": split_middle,
        "shorten": shorten,
        "duration": format_duration,
        "size": format_bytes,
        "rate_text": format_rate,
        "share": format_share,
        "round_number": format_round,
        "minor": format_minor,
        "kind": lambda fragment: type(fragment).__name__,
        "network_granter": NETWORK,
        "no_hash": ZERO_HASH,
        "end_of_calendar_ms": days_from_civil(YEAR_MAX, 12, 31) * DAY_MS,
    }
    environment.globals.update(names)
    environment.filters["in_words"] = lambda key, table: table.get(key, key)
    environment.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]
    return environment
