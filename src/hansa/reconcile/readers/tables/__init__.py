"""Tables of entries, in CSV, XLSX and Parquet, by a mapping that says what their columns mean."""
