"""The stormy agents as programs of a folder, each under the name of an agent, and how each is called."""

import sys
from pathlib import Path

from tests.children import PROGRAMS

__all__ = ["NAMES", "command_of", "install"]

NAMES = ("claude", "codex", "gemini", "opencode", "qwen", "stormy")
OPTIONS = {
    "claude": ("-p", "{prompt}", "--output-format", "stream-json", "--verbose", "--include-partial-messages"),
    "codex": ("exec", "--json", "{prompt}"),
    "gemini": ("-p", "{prompt}", "-o", "stream-json"),
    "opencode": ("run", "--format", "json", "{prompt}"),
    "qwen": ("-p", "{prompt}", "-o", "stream-json"),
    "stormy": ("{prompt}",),
}


def install(folder: Path) -> Path:
    """Put all of them into a folder, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    # Without site-packages: hundreds of them start.
    text = f"#!{sys.executable} -IS\nimport sys\n\nsys.path.append({str(PROGRAMS)!r})\nimport stormy_agent\n\n"
    for name in NAMES:
        program = folder / name
        program.write_text(f"{text}stormy_agent.main()\n")
        program.chmod(0o755)
    return folder


def command_of(name: str, programs: Path, prompt: str) -> list[str]:
    """Return the command line of an agent for a prompt."""
    return [str(programs / name), *(word.replace("{prompt}", prompt) for word in OPTIONS[name])]
