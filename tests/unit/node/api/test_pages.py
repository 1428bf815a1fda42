"""The pages about settings and the API name what there is, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from hansa.node.api.table import ROUTES
from hansa.node.settings import Settings, parse_settings

ROOT = Path(__file__).resolve().parents[4]
PAGES = ROOT / "docs" / "reference"


def read_rows(page, pattern):
    """First cells of the tables of a page that fit, with the whole line."""
    lines = (PAGES / page).read_text().splitlines()
    return {found[1]: line for line in lines if (found := re.match(pattern, line))}


def test_the_page_of_settings_has_every_key_and_its_default():
    told = read_rows("settings.md", r"\| `([a-z]+\.[a-z_]+)` \|")
    there = {
        f"{section}.{field.name}": field.default
        for section in Settings.__struct_fields__
        if section != "folder"
        for field in msgspec.structs.fields(getattr(Settings(), section))
    }
    assert set(told) == set(there)
    for name, line in told.items():
        default = re.match(r"\| `[^`]+` \| `([^`]*)` \|", line)[1]
        section, _, key = name.partition(".")
        settings = parse_settings(f"[{section}]\n{key} = {default}".encode(), Path("node.toml"))
        assert getattr(getattr(settings, section), key) == there[name]


def test_the_example_of_settings_is_one():
    (example,) = re.findall(r"```toml\n(.*?)```", (PAGES / "settings.md").read_text(), re.DOTALL)
    assert parse_settings(example.encode(), Path("node.toml")).tls.client_ca == "tls/clients.crt"


def test_the_page_of_the_api_has_every_route():
    text = (PAGES / "http-api.md").read_text()
    told = set(re.findall(r"`((?:GET|POST) /[^`?]*)`", text))
    assert told == {f"{route.method} {route.path}" for route in ROUTES}
