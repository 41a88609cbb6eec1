"""Show an output of which nobody knows whose it is: its first event tells."""

from typing import final

from nova_async.agents.reader import LineSplitter
from nova_async.agents.registry import AGENTS, PLAIN, agent_of_output
from nova_async.agents.rendering import Piece, Renderer, left_out, lines_of

__all__ = ["UnknownRenderer", "renderer_of"]


def renderer_of(agent: str | None = None, mode: str | None = None) -> Renderer:
    """Return what shows the output of an agent; None leaves it to the first event, which is good enough for showing.

    ``mode`` is the agent's output mode, where it is known.
    """
    # A plain command may be a script around an agent.
    known = AGENTS.get(agent) if agent not in (None, "", PLAIN.name) else None
    return UnknownRenderer() if known is None else known.renderer(mode)


@final
class UnknownRenderer:
    """Shows lines as they are up to one that only an agent begins with, and from there on as that agent's."""

    def __init__(self) -> None:
        self._lines = LineSplitter()
        self._renderer: Renderer | None = None

    def feed(self, chunk: bytes) -> list[Piece]:
        """Take the next bytes of the output, cut anywhere, and return what they show; it never raises."""
        if self._renderer is not None:
            return self._renderer.feed(chunk)
        return self._show(self._lines.feed(chunk))

    def close(self) -> list[Piece]:
        """Say that nothing more will come, and return what was held back; harmless to repeat."""
        rest = self._lines.close()
        shown = [*self._show([rest] if rest is not None else []), *left_out(self._lines)]
        return shown if self._renderer is None else [*shown, *self._renderer.close()]

    def _show(self, lines: list[bytes]) -> list[Piece]:
        for number, line in enumerate(lines):
            agent = agent_of_output(line)
            if agent is not None:
                self._renderer = agent.renderer()
                # What the splitter holds of the line after these follows on what it has given.
                following = b"".join(line + b"\n" for line in lines[number:]) + (self._lines.close() or b"")
                return [*lines_of(lines[:number]), *self._renderer.feed(following)]
        return lines_of(lines)
