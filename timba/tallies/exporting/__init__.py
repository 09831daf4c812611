"""Tallies that Timba writes: XLSX, CSV and PDF."""
