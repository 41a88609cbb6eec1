"""``nova init``: a first plan, with all that can be written in one."""

from dataclasses import dataclass
from pathlib import Path

from nova_async._core.advice import run_command
from nova_async.agents import CUSTOM, DEFAULT_AGENT
from nova_async.agents.registry import BUILT_IN
from nova_async.cli.options import argument, command_of, flag
from nova_async.cli.places import PLAN
from nova_async.cli.say import say, tell
from nova_async.words import Permissions

__all__ = ["FIRST_PLAN", "command"]

TEMPLATE = """\
+++
# Settings of the whole run, in TOML. All are optional.
max_workers = 3                 # how many tasks run at once
agent = "<agent>"                # <agents>
# permissions = "edit"          # <permissions>
# agent_args = ""               # extra arguments for its command line
# budget_usd = 20               # for all tasks together; or budget_tokens
# model = "sonnet"              # default: the agent's own choice
timeout = "45m"                 # limit for one attempt
idle_timeout = "10m"            # longest silence
retries = 1                     # further attempts, if the outcome is one of retry_on
backoff = "30s..10m"            # growing pauses before them
# retry_on = ["signal", "timeout", "stalled", "lost_tail", "overload", "network"]
# verify = "pytest -q"          # after each success of the agent; must exit 0
# prompt_suffix = "Commit your work when the checks pass."
# env = { PYTHONDONTWRITEBYTECODE = "1" }
# command = ["my-agent", "--model", "{model}", "{prompt}"]    # another program; {task_id} {name} {attempt} {cwd}, too

[[milestone]]                   # announced once, when reached
id = "foundation"
message = "The foundation stands."
group = "Foundation"            # or: tasks = ["A1", "A2"], percent = 50, on = "first_failure"
+++
# My project

Everything outside task tables, task headings and checklists is prose for people, like this line.
`nova plan` checks the file and shows the order; `nova run` runs it.

## Application

### Foundation

The third column is the whole prompt for the agent. Write a literal pipe in a cell as `\\|`.

| Task ID | Task Name | What Changes | Depends On |
|---------|-----------|--------------|------------|
| F1 | Types | Define the shared types in src/types.py. | - |
| F2 | Errors | Define the errors in src/errors.py. | - |
| F3 | Store | Write the store in src/store.py, with tests. | F1, F2 |

### Interface

Further columns are options of the task: Agent, Model, Permissions, Agent Args, Priority, Retries, Timeout,
Idle Timeout, Grace, Budget USD, Budget Tokens, Max Turns, Class, Slots, Cwd, Verify, On Failure, Tags, Optional.
An empty cell takes the value in the front matter.

| Task ID | Task Name | What Changes | Depends On | Timeout | Retries |
|---------|-----------|--------------|------------|---------|---------|
| A1 | Routes | Write the routes in src/routes.py, with tests. | F1-F3 | 1h | 2 |

### A2: A long prompt gets its own heading

- Depends on: A1
- Priority: 1

Everything up to the next heading of this level is the prompt, including lists and code:

```sh
python -m src --help
```

## Afterwards

- [ ] D1 Write the README (depends on A1, A2)
- [ ] D2 Write the changelog (depends on A1, A2)
  - retries: 0
"""

FIRST_PLAN = (
    TEMPLATE.replace("<agent>", DEFAULT_AGENT)
    .replace("<agents>", ", ".join([*(name for name, agent in BUILT_IN.items() if agent.program), CUSTOM]))
    .replace("<permissions>", ", ".join(Permissions))
)
"""Checked by a test: it is read without a warning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    plan: str = argument("[PLAN]", default=PLAN)
    force: bool = flag(help="Overwrite an existing file.")


def write_first_plan(options: Options) -> int:
    """Write a first plan, with a comment on everything it can contain.

    PLAN is CASCADE.md unless you name another file or folder.
    """
    target = Path(options.plan)
    if target.is_dir():
        target /= PLAN
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("w" if options.force else "x", encoding="utf-8") as file:
            file.write(FIRST_PLAN)
    except FileExistsError:
        tell(f"{target} already exists; use --force to overwrite")
        return 2
    except OSError as error:
        tell(f"cannot write {target}: {error.strerror or error}")
        return 2
    run = run_command(str(target))
    say(f"wrote {target}; edit it, check it with `{run.replace('run', 'plan', 1)}`, start it with `{run}`")
    return 0


command = command_of(Options, write_first_plan)
