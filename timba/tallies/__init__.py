"""Tally sheets: reading them, marking what is wrong in them, and exporting a consignment as one."""
