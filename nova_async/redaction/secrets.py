"""Which texts are to be redacted in a stream, as rules and the environment of its process say."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from nova_async.redaction.pattern import Pattern
from nova_async.redaction.rules import is_pattern, matching
from nova_async.redaction.stream import MARK, Needle, Redactor
from nova_async.redaction.value import values_of

__all__ = ["LEAST_BYTES", "MARK", "Redaction", "redaction_of", "without_effect"]

LEAST_BYTES = 8  # of a value; a shorter one (`true`, `8080`) stands everywhere, and would make the output unreadable


@final
@dataclass(frozen=True, slots=True)
class Redaction:
    """What is to be redacted; false where that is nothing. It never shows its values."""

    needles: tuple[Needle, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.needles)

    def __repr__(self) -> str:
        return f"<Redaction of {len(self.needles)} texts>"

    def stream(self) -> Redactor:
        """Return a filter for one stream of bytes."""
        return Redactor(self.needles)

    def text(self, text: str) -> str:
        """Return a whole text with everything redacted."""
        if not self.needles:
            return text
        try:
            given, errors = text.encode("utf-8", "surrogateescape"), "surrogateescape"
        except UnicodeEncodeError:  # half a pair of surrogates, which is no byte of a path either
            given, errors = text.encode("utf-8", "surrogatepass"), "surrogatepass"
        filtered = self.stream()
        return (filtered.feed(given) + filtered.close()).decode("utf-8", errors)

    def texts(self, texts: Iterable[str]) -> tuple[str, ...]:
        """Return several texts, each redacted."""
        return tuple(map(self.text, texts))


NOTHING = Redaction()


def redaction_of(rules: Sequence[str], *environments: Mapping[str, str]) -> Redaction:
    """Return what is to be redacted by rules that have been checked, where these environments hold the variables."""
    if not rules:
        return NOTHING
    values: dict[str, None] = {}
    for rule in rules:
        if not is_pattern(rule):
            for environment in environments:
                for name in matching(rule, environment):
                    values.update(dict.fromkeys(parts_of(environment[name])))
    needles: list[Needle] = [needle for value in values for needle in values_of(value)]
    needles += [Pattern(rule[1:-1]) for rule in dict.fromkeys(rules) if is_pattern(rule)]
    return Redaction(tuple(needles))


def without_effect(rules: Iterable[str], *environments: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each name of a variable for which nothing is redacted in these environments, and why."""
    for rule in rules:
        if is_pattern(rule):
            continue
        values = [environment[name] for environment in environments for name in matching(rule, environment)]
        if not values:
            yield rule, "no such variable is set, so nothing is redacted"
        elif not any(any(parts_of(value)) for value in values):
            yield rule, f"its value has fewer than {LEAST_BYTES} bytes, so it is not redacted"


def parts_of(value: str) -> Iterator[str]:
    """Yield what to look for: the value, and if it has several lines, each of them, as it may be printed indented."""
    lines = [bare(line) for line in value.splitlines() if line.strip()]
    is_long = [is_long_enough(line) for line in lines]
    yield from (line for line, long in zip(lines, is_long, strict=True) if long)
    if not all(is_long) and is_long_enough(bare(value)):
        yield bare(value)


def bare(value: str) -> str:
    """Return a value without what surrounds it by mistake: blanks, and quotes that a shell did not take away."""
    value = value.strip()
    return value[1:-1].strip() if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def is_long_enough(value: str) -> bool:
    """Tell whether a value can be told from ordinary text."""
    return len(value.encode("utf-8", "surrogateescape")) >= LEAST_BYTES
