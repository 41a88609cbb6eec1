"""Writes the prices that the package genai-prices knows as one JSON document; a program by itself.

It takes 0.8 s and 90 MB, and its C code keeps other threads from running: too much for a process that supervises. On
standard input it gets the folders in which modules are found. It goes online for nothing: the package updates its
prices over the network only for whoever asks for that.
"""

import importlib
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

PRICE_OF = {
    "input": ("input_mtok",),
    "output": ("output_mtok",),
    # Where one has no price of its own, it costs what input costs: so the package itself reckons.
    "cache_read": ("cache_read_mtok", "input_mtok"),
    "cache_write": ("cache_write_5m_mtok", "cache_write_mtok", "input_mtok"),
}


def main() -> None:
    """Write ``{"version": …, "prices": {name: [input, output, cache read, cache write, 1 h cache write]}}``."""
    sys.path[:] = dict.fromkeys([*json.load(sys.stdin), *sys.path])
    version = importlib.import_module("genai_prices").__version__
    providers = importlib.import_module("genai_prices.data_snapshot").get_snapshot().providers
    prices: dict[str, list[float | None]] = {}
    for provider in providers:
        for model in provider.models:
            price = prices_of(model)
            for name in names_in(model.match, model.id) if price else ():
                prices.setdefault(f"{provider.id}/{name}", price)
                if sold_by(providers, name) is provider:
                    prices.setdefault(name, price)
    json.dump({"version": version, "prices": prices}, sys.stdout)


def prices_of(model: Any) -> list[float | None]:
    """Return what a million tokens of each kind cost today; nothing where input or output have no price.

    Some models cost more in calls with long prompts; how long each prompt was is not known afterwards.
    """
    table = model.get_prices(datetime.now(UTC))
    found = list[float | None]()
    for names in PRICE_OF.values():
        known = (getattr(table, name, None) for name in names)
        price = next((price for price in known if price is not None), None)
        if price is None:
            return []
        found.append(float(getattr(price, "base", price)))
    an_hour = getattr(table, "cache_write_1h_mtok", None)  # or the price of input tells what it costs
    return [*found, None if an_hour is None else float(getattr(an_hour, "base", an_hour))]


def names_in(match: Any, model: str) -> Iterator[str]:
    """Give the exact names of a model; a pattern could be another one's as well."""
    yield model.lower()
    for kind in ("equals", "starts_with"):
        if isinstance(name := getattr(match, kind, None), str):
            yield name.lower()
    for inner in getattr(match, "or_", None) or getattr(match, "and_", None) or ():
        yield from names_in(inner, model)


def sold_by(providers: list[Any], name: str) -> Any:
    """Return who sells a model of that name, if nobody is named with it."""
    return next((each for each in providers if each.model_match is not None and each.model_match.is_match(name)), None)


if __name__ == "__main__":
    main()
