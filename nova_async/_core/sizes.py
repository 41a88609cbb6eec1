"""Amounts of memory, as text."""

import math

__all__ = ["describe_size"]

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def describe_size(size: int, *, up: bool = False) -> str:
    """Write a number of bytes as ``1.31 GiB``; with ``up`` the last digit is rounded up, else to the nearest."""
    power = min(max(size.bit_length() - 1, 0) // 10, len(UNITS) - 1)
    hundredths = size * 100 / 1024**power
    return f"{(math.ceil(hundredths) if up else round(hundredths)) / 100:g} {UNITS[power]}"
