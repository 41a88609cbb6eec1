"""How each agent is called without a terminal, and how its output mode is read off such a call.

From the recorded calls and the options of Claude Code 2.1.197, Codex 0.169.0, Gemini CLI 0.61.0, opencode 1.18.33 and
Qwen Code 0.15.10 (docs/agents.md). A prompt that begins with ``-`` goes where the program's option parser takes it
for a value.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["CommandBuilder", "ModeOption", "claude", "codex", "gemini", "opencode", "qwen"]


@dataclass(frozen=True, slots=True)
class ModeOption:
    """The option that chooses an agent's output mode."""

    names: tuple[str, ...] = ()
    """Options followed by the mode, as their next word or after ``=``."""
    flags: tuple[str, ...] = ()
    """Options that mean ``json`` by themselves."""
    modes: Mapping[str, str] | None = None
    """The option's values and the modes they mean; anything else is text."""
    with_value: frozenset[str] = frozenset()
    """Other options that take the next word whatever it looks like."""

    def read(self, arguments: Sequence[str]) -> str:
        """Return the mode that the arguments choose; the last one wins, and ``--`` ends the options."""
        mode, modes = "text", self.modes or {}
        words = iter(arguments)
        for word in words:
            name, given, value = word.partition("=")
            if word == "--":
                break
            if word in self.flags:
                mode = "json"
            elif name in self.names:
                mode = modes.get(value if given else next(words, ""), "text")
            elif word in self.with_value:
                next(words, None)
            elif word[:2] in self.names and word[2:] in modes:  # -ojson
                mode = modes[word[2:]]
        return mode


# Prompt, model, session to resume, further options -> the whole command line.
CommandBuilder = Callable[[str, str | None, str | None, Sequence[str]], list[str]]


def claude(prompt: str, model: str | None, resume: str | None, extra: Sequence[str]) -> list[str]:
    """Call Claude Code so that it streams events with exact live counts; without --verbose it refuses to."""
    options = ["--output-format", "stream-json", "--verbose", "--include-partial-messages"]
    options += [*_option("--model", model), *_option("--resume", resume), *extra]
    # Before the options: one like --allowedTools takes all the words that follow it.
    return ["claude", "-p", *options, "--", prompt] if _is_dashed(prompt) else ["claude", "-p", prompt, *options]


def codex(prompt: str, model: str | None, resume: str | None, extra: Sequence[str]) -> list[str]:
    """Call Codex; it runs outside a git checkout, too, and a resumed thread keeps its id."""
    options = ["--json", "--skip-git-repo-check", *_option("-m", model), *extra]
    return ["codex", "exec", *options, *_option("resume", resume), "--", prompt]


def gemini(prompt: str, model: str | None, resume: str | None, extra: Sequence[str]) -> list[str]:
    """Call Gemini CLI; without --yolo and --skip-trust it has nobody to ask and runs no tool."""
    asked = [f"--prompt={prompt}"] if _is_dashed(prompt) else ["-p", prompt]
    options = [*_option("-m", model), *_option("--resume", resume), "--yolo", "--skip-trust", *extra]
    return ["gemini", *asked, "-o", "stream-json", *options]


def opencode(prompt: str, model: str | None, resume: str | None, extra: Sequence[str]) -> list[str]:
    """Call opencode; its models are named ``provider/model``."""
    options = ["--format", "json", *_option("-m", model), *_option("--session", resume), *extra]
    return ["opencode", "run", *options, *(["--", prompt] if _is_dashed(prompt) else [prompt])]


def qwen(prompt: str, model: str | None, resume: str | None, extra: Sequence[str]) -> list[str]:
    """Call Qwen Code; without -y it has nobody to ask and runs no tool."""
    asked = [f"--prompt={prompt}"] if _is_dashed(prompt) else ["-p", prompt]
    options = [*_option("-m", model), *_option("--resume", resume), "-y", *extra]
    return ["qwen", *asked, "-o", "stream-json", *options]


def _option(name: str, value: str | None) -> list[str]:
    return [] if value is None else [name, value]


def _is_dashed(prompt: str) -> bool:
    return prompt.startswith("-")
