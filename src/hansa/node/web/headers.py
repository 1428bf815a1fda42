"""Headers of pages: no page of ours is framed, sniffed, or shares a process with a stranger's.

Source: W3C Content Security Policy Level 3; OWASP Secure Headers Project.
"""

from __future__ import annotations

PAGE_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every page, beside the policy that says what it may load."""


def write_policy(**sources: str) -> dict[str, str]:
    """Write the policy of a page as a header: nothing is loaded or sent but what is named.

    Args:
      sources: by the directive, with underscores, as `style_src="'self'"`.

    >>> write_policy(form_action="'self'")["Content-Security-Policy"]
    "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    """
    named = [f"{name.replace('_', '-')} {source}" for name, source in sources.items()]
    policy = ["default-src 'none'", *named, "base-uri 'none'", "frame-ancestors 'none'"]
    return {"Content-Security-Policy": "; ".join(policy)}


OWN_FILES_HEADERS = PAGE_HEADERS | write_policy(
    script_src="'self'",
    style_src="'self'",
    img_src="'self'",
    connect_src="'self'",
    form_action="'self'",
)
"""Of a page that loads its own site's files, and runs no script that stands in it."""
