"""One cell of the matrix: which Python, which user, which dependencies, and what is different about the run."""

from dataclasses import dataclass
from typing import Self

__all__ = ["CELLS", "FLAGS", "PLAIN", "Cell"]

FLAGS = {
    "user": "run as an ordinary user (needs root and setpriv; without root every cell does), but for the pure rooms",
    "lowest": "with the lowest versions of the dependencies that pyproject.toml allows",
    "dev": "under -X dev",
    "nodebug": "with asyncio's debug mode off; it is on otherwise",
    "uvloop": "on uvloop: the tests of workers, processes and runs",
    "wheel": "installed from the wheel: the tests of the docs, the exports and the start",
    "sdist": "installed from the source distribution: the same, with the docs that it contains",
    "below": "only the rooms below the command: processes, workers, attempts, runs, journals, storms",
    "above": "only the others: the command, the page, what only decides",
    "seedN": "in the random order of seed N",
}

CELLS = (
    "3.11", "3.11+user+nodebug",
    "3.12+user", "3.12+dev",
    "3.13+lowest+dev", "3.13+user",
    "3.12+lowest+nodebug", "3.11+lowest",
    "3.12+uvloop", "3.13+uvloop+nodebug+user", "3.11+uvloop",
    "3.13+seed1", "3.12+seed2+nodebug", "3.11+seed3+dev",
    "3.11+wheel", "3.12+wheel+user", "3.13+wheel", "3.11+sdist", "3.13+sdist+user",
)  # fmt: skip

# A loop is what these three are about; the other rooms have none, or one that `nova` makes itself.
ON_A_LOOP = ("tests/process", "tests/worker", "tests/attempt", "tests/orchestrator", "tests/core")
BELOW = (*ON_A_LOOP, "tests/journal", "tests/control", "tests/storm")
# What stands on the installed package alone, wherever its source is.
INSTALLED = (
    *(f"tests/test_docs.py::test_{what}_run" for what in ("python_blocks", "shell_blocks", "example_scripts")),
    "tests/test_public_api.py",
    "tests/test_lightness.py",
    "tests/cli/test_start.py",
)
# The real agents care for no version of ours: where they are installed, one run with them is enough.
PLAIN = "3.11"
WITHOUT_AGENTS = ("--ignore", "tests/live")
# A storm takes the longest of all and is about processes and users: one as root and one as an ordinary user will do.
WITHOUT_STORM = ("--ignore", "tests/storm")
# A browser cares for no version of ours either: one run with it is enough.
WITHOUT_BROWSER = ("--ignore-glob", "tests/web/test_page*.py")
# What only decides knows of no user.
WITHOUT_PURE = ("--ignore", "tests/agents", "--ignore", "tests/cascade", "--ignore", "tests/redaction")


@dataclass(frozen=True)
class Cell:
    """One run of the tests; its name is ``VERSION+FLAG+FLAG``, with the flags of ``FLAGS``."""

    name: str
    python: str
    flags: frozenset[str]
    seed: int | None = None

    @classmethod
    def named(cls, name: str) -> Self:
        """Return the cell of that name. Raises ``ValueError`` for a flag that does not exist."""
        python, *flags = name.split("+")
        seeds = [flag.removeprefix("seed") for flag in flags if flag.startswith("seed")]
        known = {flag for flag in flags if not flag.startswith("seed")}
        if unknown := sorted(known - FLAGS.keys()):
            raise ValueError(f"{name}: no such flag: {', '.join(unknown)}; there are {', '.join(FLAGS)}")
        if len(seeds) > 1 or not all(seed.isdecimal() for seed in seeds):
            raise ValueError(f"{name}: one seed, a whole number, as in 3.12+seed7")
        return cls(name, python, frozenset(known), int(seeds[0]) if seeds else None)

    @property
    def built(self) -> str | None:
        """Which distribution is built and installed; None if the source tree is."""
        return next((kind for kind in ("wheel", "sdist") if kind in self.flags), None)

    def interpreter_options(self) -> list[str]:
        """Return what stands between ``python`` and ``-m pytest``."""
        return ["-X", "dev"] if "dev" in self.flags else []

    def pytest_arguments(self) -> list[str]:
        """Return what stands after ``-m pytest``."""
        arguments = ["-q"]
        if "nodebug" in self.flags:
            arguments += ["-o", "asyncio_debug=false"]
        if self.seed is not None:
            arguments += ["-p", "randomly", f"--randomly-seed={self.seed}"]
        if "uvloop" in self.flags:
            arguments += ["-p", "tests.matrix.on_uvloop", *ON_A_LOOP]
        elif self.built:
            arguments += INSTALLED
        elif "below" in self.flags:
            arguments += BELOW
        elif self.name != PLAIN:
            arguments += [*WITHOUT_AGENTS, *WITHOUT_BROWSER]
            if "above" in self.flags:
                arguments += [word for room in BELOW for word in ("--ignore", room)]
            else:
                arguments += WITHOUT_PURE if "user" in self.flags else WITHOUT_STORM
        return arguments
