"""Names screened against sanctions lists: readers, an index, scores in whole numbers, reasons."""
