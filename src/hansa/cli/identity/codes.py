"""QR codes that wallets scan: in the terminal, and as a file.

Source: ISO/IEC 18004.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TextIO

from hansa.cli.identity.reading import write_new

QUIET_CELLS = 4


def print_code(text: str, output: TextIO) -> None:
    """Draw a QR code where a person looks on; into a file or pipe it is left out."""
    if output.isatty():
        import segno  # noqa: PLC0415 - so that help loads nothing that draws

        segno.make_qr(text).terminal(out=output, compact=True, border=QUIET_CELLS)


def write_svg(text: str, path: Path) -> None:
    """Write a QR code as a new SVG file.

    Raises:
      Invalid: the file is there already.
      NotFound: there is no such folder.
      Unavailable: the disk refuses.
    """
    import segno  # noqa: PLC0415 - as above

    buffer = io.BytesIO()
    segno.make_qr(text).save(buffer, kind="svg", scale=6, border=QUIET_CELLS)
    write_new(path, buffer.getvalue())
