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

from aiohttp import web

from hansa.identity.issuer.authorization import PushedRequest
from hansa.identity.oauth.refusals import Declined
from hansa.node.identity.issuer.service import IssuerService
from hansa.node.web.files import build_environment
from hansa.node.web.headers import PAGE_HEADERS, write_policy

_FOLDER = Path(__file__).parent / "templates"
_STYLE = (_FOLDER / "page.css").read_text()
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_ENVIRONMENT = build_environment(_FOLDER)


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
    policy = write_policy(style_src=f"'sha256-{_STYLE_HASH}'", form_action=form_action)
    return web.Response(
        text=text,
        status=status,
        content_type="text/html",
        charset="utf-8",
        headers={"Cache-Control": "no-store", **PAGE_HEADERS, **policy},
    )
