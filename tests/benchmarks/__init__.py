"""Speed, as ratios to what was measured in the same run: ``python -m tests.benchmarks``."""
