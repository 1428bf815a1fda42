"""QR codes in pages.

Source: ISO/IEC 18004.
"""

from __future__ import annotations

import segno

QUIET_CELLS = 4


def draw_code(text: str, title: str) -> str:
    """Draw a QR code as SVG that stands in a page as it is: black on white in every theme."""
    code = segno.make_qr(text)
    shown: str = code.svg_inline(
        border=QUIET_CELLS, light="#fff", dark="#000", omitsize=True, title=title, svgclass="qr"
    )
    return shown
