"""The console's own files, and the environment that its templates are filled in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2

import hansa
from hansa.kernel.crypto.address import to_text
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

FOLDER = Path(__file__).parent
CONTENT_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def load_files() -> dict[str, tuple[bytes, str, str]]:
    """Load the console's files: name to (bytes, version, content type)."""
    files = {}
    for path in sorted((FOLDER / "static").iterdir()):
        body = path.read_bytes()
        version = hashlib.sha256(body).hexdigest()[:12]
        files[path.name] = (body, version, CONTENT_TYPES[path.suffix])
    return files


def build_environment(
    name_file: Callable[[str], str], navigation: list[tuple[str, str]]
) -> jinja2.Environment:
    """Build the environment of the templates: strict, escaping, and with our formats.

    Args:
      name_file: gives the path under which browsers ask for a file of the console.
      navigation: (path, label) of the pages that every page links to.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
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
    }
    environment.globals.update(names)
    environment.filters["in_words"] = lambda key, table: table.get(key, key)
    environment.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]
    return environment
