"""Readings in storage: one Parquet object for each file, and totals by city."""
