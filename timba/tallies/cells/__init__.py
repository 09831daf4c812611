"""The cells of an uploaded sheet, XLSX or CSV: what is stored in each and what is shown."""
