"""The page of all attacks, made of the vectors: `python -m tests.hostile.page` writes it."""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests/vectors/hostile"
PAGE = ROOT / "docs/reference/hostile-input.md"
TEXT_LETTERS_MAX = 180


def render() -> str:
    """Write the page: its head is as it stands there, the tables are made of the vectors."""
    parts = [PAGE.read_text().partition("\n## ")[0]]
    for path in sorted(VECTORS.glob("*.json")):
        theme = json.loads(path.read_text())
        parts.append(
            f"\n## {theme['title']}\n\n`tests/vectors/hostile/{path.name}`, {theme['kind']}\n"
        )
        parts.append(
            "\n| attack | against | what is found | what Hansa says |\n|---|---|---|---|\n"
        )
        parts += [_write_row(each) for each in theme["cases"]]
    return "".join(parts)


def _write_row(case: dict) -> str:
    found = case["refused"]
    faults = ", ".join(
        f"{each['check']} {each['fault'].rpartition('.')[2]}".strip() for each in found
    )
    cells = (case["name"], case["attacks"], faults, _shorten(found[0]["text"]))
    return f"| {' | '.join(map(_escape, cells))} |\n"


def _shorten(text: str) -> str:
    return text if len(text) <= TEXT_LETTERS_MAX else f"{text[:TEXT_LETTERS_MAX]}…"


def _escape(text: str) -> str:
    """Write a text so that a page shows its letters, and no markup."""
    for letter in "\\`*_<>[]|":
        text = text.replace(letter, f"\\{letter}")
    return text


if __name__ == "__main__":
    PAGE.write_text(render())
