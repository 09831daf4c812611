"""How a sheet is laid out: tables, columns, units and number style, or the questions about them."""
