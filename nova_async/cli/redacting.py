"""``--redact``: telling of a name by which nothing is redacted, before its value is in a log without a word."""

from collections.abc import Mapping, Sequence

from nova_async.cli.say import tell

__all__ = ["warn_of_no_effect"]


def warn_of_no_effect(rules: Sequence[str], *environments: Mapping[str, str]) -> None:
    """Warn of each name of a variable for which nothing is redacted in these environments."""
    from nova_async.redaction import without_effect  # seldom needed

    for name, why in without_effect(rules, *environments):
        tell(f"warning: --redact {name}: {why}")
