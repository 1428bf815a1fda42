"""The page on which a person decides what a wallet gets.

It runs no script, and sends its form only to the issuer itself, which sends the browser on to the
address that the wallet's client has registered.

Source: W3C Content Security Policy Level 3; OpenID4VCI 1.0, section 5.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from urllib.parse import urlsplit

import jinja2
from aiohttp import web

from hansa.identity.issuer.authorization import PushedRequest
from hansa.identity.oauth.refusals import Declined
from hansa.node.identity.issuer.service import IssuerService

_FOLDER = Path(__file__).parent / "templates"
_STYLE = (_FOLDER / "page.css").read_text()
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def build_page(
    service: IssuerService, request_uri: str, pushed: PushedRequest, fault: Declined | None = None
) -> web.Response:
    """Build the page that shows what a wallet asks for; `fault` is what was wrong with a form."""
    names = [
        kind.name for kind in service.settings.credentials if kind.id in pushed.configuration_ids
    ]
    parts = urlsplit(pushed.redirect_uri)
    text = _ENVIRONMENT.get_template("authorize.html").render(
        style=_STYLE,
        issuer=service.settings.name,
        client_id=pushed.client_id,
        place=parts.netloc or f"{parts.scheme}:",
        request_uri=request_uri,
        names=names,
        has_offer=bool(pushed.issuer_state),
        fault="" if fault is None else fault.message,
    )
    # Browsers hold a form's redirects to form-action, too.
    onward = f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:"
    return _answer(text, 200 if fault is None else fault.status, f"'self' {onward}")


def build_fault(issuer: str, message: str, status: int) -> web.Response:
    """Build the page that says why there is nothing to decide."""
    template = _ENVIRONMENT.get_template("fault.html")
    return _answer(template.render(style=_STYLE, issuer=issuer, message=message), status, "'none'")


def _answer(text: str, status: int, form_action: str) -> web.Response:
    policy = (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action {form_action}; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    return web.Response(
        text=text,
        status=status,
        content_type="text/html",
        charset="utf-8",
        headers=_HEADERS | {"Content-Security-Policy": policy},
    )
