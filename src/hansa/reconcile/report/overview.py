"""The overview of a result of several sides: one page with a row for each pair, and its links."""

from __future__ import annotations

from pathlib import Path

from hansa.reconcile.batch.summary import Overview
from hansa.reconcile.report.page import PAGE, write_template
from hansa.reconcile.report.workbook import WORKBOOK


def write_overview(overview: Overview, folder: Path) -> None:
    """Write the page into the folder of the whole result."""
    write_template("overview.html", folder / PAGE, {}, s=overview, page=PAGE, workbook=WORKBOOK)
