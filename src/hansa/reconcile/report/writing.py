"""Reports written into the folder of a result, beside the files that they are made of."""

from __future__ import annotations

from pathlib import Path

from hansa.reconcile.batch.summary import Summary
from hansa.reconcile.report.page import write_page
from hansa.reconcile.report.workbook import write_workbook


def write_report(summary: Summary, folder: Path, sides: Path, scratch: Path) -> None:
    """Write the page and the workbook of a result.

    Args:
      summary: of the result.
      folder: where its files stand.
      sides: where what was read of each side lies, in a folder of its name.
      scratch: a folder for what is put together there.
    """
    write_page(summary, folder, sides)
    write_workbook(summary, folder, scratch)
