"""Files that pages load, each named by its content, and the environment of templates.

Source: RFC 8246 (immutable responses).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import jinja2
from aiohttp import web

CONTENT_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class StaticFile(NamedTuple):
    """A style sheet, script or picture."""

    body: bytes
    version: str
    """Of its content, so that browsers may keep it for good."""
    content_type: str

    def send(self, headers: dict[str, str]) -> web.Response:
        """Answer with the file, to be kept for good."""
        kept = {**headers, "Cache-Control": "public, max-age=31536000, immutable"}
        return web.Response(
            body=self.body, content_type=self.content_type, charset="utf-8", headers=kept
        )


def load_files(*folders: Path) -> dict[str, StaticFile]:
    """Load the files of folders by their names."""
    files = {}
    for path in sorted(path for folder in folders for path in folder.iterdir()):
        body = path.read_bytes()
        version = hashlib.sha256(body).hexdigest()[:12]
        files[path.name] = StaticFile(body, version, CONTENT_TYPES[path.suffix])
    return files


def build_environment(*folders: Path) -> jinja2.Environment:
    """Build an environment of the templates in folders: strict, and escaping what it is given."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
