"""Benchmarks of the package; results are ratios within one run."""
