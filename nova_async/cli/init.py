"""``nova init``: a first plan, with all that can be written in one."""

from pathlib import Path

import typer

__all__ = ["FIRST_PLAN", "write_first_plan"]

FIRST_PLAN = """\
+++
# Settings of the whole run, in TOML. All of them may be left out.
max_workers = 3                 # how many tasks run at once
agent = "claude"                # claude, codex, gemini, opencode, qwen, custom
# model = "sonnet"              # else the agent's own choice
timeout = "45m"                 # one attempt may take so long ...
idle_timeout = "10m"            # ... and be silent for so long
retries = 1                     # further attempts, if the outcome is one of retry_on
backoff = "30s..10m"            # pauses before them, growing
# retry_on = ["signal", "timeout", "stalled", "lost_tail", "overload"]
# verify = "pytest -q"          # after each success of the agent; must exit 0
# prompt_suffix = "Commit your work when the checks pass."
# env = { PYTHONDONTWRITEBYTECODE = "1" }
# command = ["my-agent", "--model", "{model}", "{prompt}"]    # another program; {task_id} {name} {attempt} {cwd}, too

[[milestone]]                   # said once, when it is reached
id = "foundation"
message = "The foundation stands."
group = "Foundation"            # or: tasks = ["A1", "A2"], percent = 50, on = "first_failure"
+++
# My project

Everything outside of task tables, task headings and check-lists is prose for people, as this line is.
`nova plan` checks the file and shows the order; `nova run` runs it.

## Application

### Foundation

The third column is the whole prompt that the agent gets. A literal pipe in a cell is written as `\\|`.

| Task ID | Task Name | What Changes | Depends On |
|---------|-----------|--------------|------------|
| F1 | Types | Define the shared types in src/types.py. | - |
| F2 | Errors | Define the errors in src/errors.py. | - |
| F3 | Store | Write the store in src/store.py, with tests. | F1, F2 |

### Interface

Further columns are options of the task: Agent, Model, Priority, Retries, Timeout, Idle Timeout, Grace, Class, Slots,
Cwd, Verify, On Failure, Tags. An empty cell takes what the front matter says.

| Task ID | Task Name | What Changes | Depends On | Timeout | Retries |
|---------|-----------|--------------|------------|---------|---------|
| A1 | Routes | Write the routes in src/routes.py, with tests. | F1-F3 | 1h | 2 |

### A2: A long prompt has a heading of its own

- Depends on: A1
- Priority: 1

All up to the next heading of this rank is the prompt, with its lists and its code:

```sh
python -m src --help
```

## Afterwards

- [ ] D1 Write the README (depends on A1, A2)
- [ ] D2 Write the changelog (depends on A1, A2)
  - retries: 0
"""
"""Checked by a test: it is read without a warning."""


def write_first_plan(path: str, *, force: bool) -> int:
    """Write the plan, never over one that is there unless forced to; return the exit code."""
    target = Path(path)
    if target.is_dir():
        target /= "CASCADE.md"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("w" if force else "x", encoding="utf-8") as file:
            file.write(FIRST_PLAN)
    except FileExistsError:
        typer.echo(f"nova: {target} is there already; --force writes over it", err=True)
        return 2
    except OSError as error:
        typer.echo(f"nova: cannot write {target}: {error.strerror or error}", err=True)
        return 2
    typer.echo(f"wrote {target}: edit it, look at it with `nova plan`, start it with `nova run`")
    return 0
