"""What texts of a sheet mean: headers, units, titles, numbers, and rows that are no logs."""
