"""The report of a result: a page and a workbook for people, written beside it."""
