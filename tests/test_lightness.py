"""What must stay light: the import of the library, the start of ``nova``, and above all the orphan guard."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nova_async.process import orphan_guard

# Each takes tens of milliseconds or megabytes, and belongs to the command, the cascade, the journal or an extra.
HEAVY = {
    "aiosqlite", "click", "distributed", "genai_prices", "markdown_it", "opentelemetry", "psutil", "pydantic", "rich",
    "sqlite3", "starlette", "typer", "uvicorn",
}  # fmt: skip
LINUX_HAS_PROC = set() if Path("/proc/self/stat").exists() else {"psutil"}

# All that the guard may load: it is started with each program that has workers, and lives as long.
GUARD_LOADS = {
    "_abc", "_codecs", "_collections_abc", "_frozen_importlib", "_frozen_importlib_external", "_imp", "_io", "_signal",
    "_stat", "_thread", "_warnings", "_weakref", "abc", "builtins", "codecs", "encodings", "encodings.aliases",
    "encodings.utf_8", "genericpath", "io", "itertools", "marshal", "os", "os.path", "posix", "posixpath", "select",
    "stat", "sys", "time", "zipimport", "__main__",
    "nova_async", "nova_async.process", "nova_async.process.blind", "nova_async.process.cookie",
    "nova_async.process.kinship", "nova_async.process.procfs", "nova_async.process.signalling",
    "nova_async.process.sweep",
}  # fmt: skip


def loaded_by(code: str) -> set[str]:
    """Return the modules that a program has loaded at its end."""
    said = "\nimport json, sys; print('loaded', json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code + said], capture_output=True, text=True, check=True)
    modules: list[str] = json.loads(done.stdout.rpartition("loaded ")[2])
    return set(modules)


@pytest.mark.parametrize("name", ["AsyncWorker", "Worker", "TokenUsage", "NovaError"])
def test_the_front_door_is_light(name: str) -> None:
    """``from nova_async import …`` of the worker's names loads nothing of the command, the cascade or the journal."""
    assert loaded_by(f"from nova_async import {name}") & HEAVY - LINUX_HAS_PROC == set()


def test_opening_the_front_door_loads_nothing() -> None:
    """``import nova_async`` alone loads no room at all."""
    loaded = loaded_by("import nova_async")
    assert {module for module in loaded if module.startswith("nova_async.")} == set()
    assert "asyncio" not in loaded


def test_asking_for_the_version_is_light() -> None:
    """``nova --version`` loads neither the command line nor an event loop."""
    loaded = loaded_by("import sys; sys.argv = ['nova', '--version']\nfrom nova_async.cli.main import main; main()")
    rooms = {module.split(".")[1] for module in loaded if module.startswith("nova_async.")}
    assert loaded & (HEAVY | {"asyncio", "anyio", "msgspec"}) == set()
    assert rooms == {"cli"}


def test_a_plain_run_loads_nothing_that_tells_others(tmp_path: Path) -> None:
    """Who notifies nobody and wants no traces pays for neither."""
    (tmp_path / "p.md").write_text("+++\ncommand = ['true']\n+++\n- [ ] T1 x\n")
    places = f"'--state', '{tmp_path}/s', '--journal', '{tmp_path}/j/j', '--log-dir', '{tmp_path}/l'"
    loaded = loaded_by(
        "import os, sys; [os.environ.pop(name) for name in list(os.environ) if name.startswith('OTEL_')]\n"
        f"sys.argv = ['nova', 'run', '{tmp_path}/p.md', '--plain', {places}]\n"
        "from nova_async.cli.main import main\ntry: main()\nexcept SystemExit as end: assert not end.code"
    )
    rooms = {module.split(".")[1] for module in loaded if module.startswith("nova_async.")}
    assert "orchestrator" in rooms
    assert rooms & {"notice", "tracing", "web"} == set()
    assert loaded & {"opentelemetry", "requests", "http.client", "starlette"} == set()
    # for prices and foreign agents, for --junit, and for a limit that is met
    assert loaded & {"importlib.metadata", "email", "xml", "zoneinfo"} == set()


def test_a_look_at_the_state_is_light(tmp_path: Path) -> None:
    """``nova status`` reads one file and writes a table: no event loop, no plan, no journal, no timelines of a page."""
    loaded = loaded_by(
        f"import sys; sys.argv = ['nova', 'status', {str(tmp_path)!r}]\n"
        "from nova_async.cli.main import main\ntry: main()\nexcept SystemExit as end: assert end.code == 2"
    )
    assert "nova_async.cli.status" in loaded
    assert loaded & (HEAVY - {"click", "rich"} | {"asyncio", "msgspec", "shutil", "socket"}) == set()
    assert loaded & {"nova_async.control.timeline", "nova_async.cascade", "nova_async.agents"} == set()


def test_the_guard_loads_next_to_nothing(tmp_path: Path) -> None:
    """From its start to the end of its work, what the guard loads is on a short list."""
    listed = tmp_path / "modules"
    runner = tmp_path / "runner.py"  # no -c: newer Pythons load more for that
    runner.write_text(
        "import sys; del sys.argv[0]; path = sys.argv[0]\n"
        "exec(compile(open(path).read(), path, 'exec'), {'__name__': '__main__', '__file__': path})\n"
        f"open({str(listed)!r}, 'w').write(' '.join(sys.modules))\n"
    )
    read_end, write_end = os.pipe()
    os.close(write_end)  # its supervisor has just died
    try:
        arguments = [str(orphan_guard.PROGRAM), str(read_end), "-1", str(os.getpid()), "nobody-has-this-id"]
        subprocess.run(
            [sys.executable, "-S", "-s", "-P", str(runner), *arguments], pass_fds=[read_end], check=True, timeout=30
        )
    finally:
        os.close(read_end)
    loaded = set(listed.read_text().split())
    assert "nova_async.process.sweep" in loaded
    assert loaded - GUARD_LOADS == set()
