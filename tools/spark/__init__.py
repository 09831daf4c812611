"""Runs the PySpark jobs of `examples/spark` on this machine, for tests and benchmarks."""
