"""Run the benchmarks that are named, or all."""

import importlib
import sys

ALL = ["capture", "counting", "spawning", "latency", "asking", "importing", "fleet"]

for name in sys.argv[1:] or ALL:
    print(f"\n{name}")
    importlib.import_module(f"tests.benchmarks.{name}").main()
