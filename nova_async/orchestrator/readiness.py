"""What a run needs on this machine, checked before anything is written or started.

No process is started for this, and each program and folder is checked once, however many tasks need it.
"""

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import final

from nova_async._core.own_places import LOG_DIR, chosen_by_us, refuse_links
from nova_async.agents import AGENTS, Agent
from nova_async.agents.wrappers import without_assignments
from nova_async.attempt.ends import about_program, not_on_path
from nova_async.attempt.job import Job
from nova_async.attempt.passing import passed
from nova_async.cascade import Cascade, RunSettings, Task
from nova_async.errors import NotReadyError
from nova_async.journal.history import History
from nova_async.orchestrator.countable import budget_problems, told
from nova_async.orchestrator.outlook import look_ahead
from nova_async.orchestrator.price_search import can_be_estimated, may_be_estimated
from nova_async.process.command import resolve

__all__ = [
    "Findings",
    "Readiness",
    "clock_problem",
    "find_agent",
    "folder_problem",
    "login_left_out",
    "program_problem",
    "room_left",
]

LEAST_ROOM = 1 << 20  # bytes; below, the journal itself would not fit before long
LITTLE_ROOM = 100 << 20  # bytes; a day of a busy agent's log
SANE_YEARS = range(2025, 2100)  # outside, no agent would trust a server's certificate
QUOTING = frozenset("\"'\\$")  # to ``env -S``
LONGEST_SHEBANG = 256  # bytes; what Linux reads of the first line


@final
@dataclass(slots=True)
class Findings:
    """What was found, each sentence with the ids of its tasks; without ids it concerns the whole run."""

    problems: dict[str, list[str]] = field(default_factory=dict)
    """What keeps the run from starting."""
    notes: dict[str, list[str]] = field(default_factory=dict)
    """What an earlier task may still provide, or what matters little."""

    def add(self, sentence: str | None, *tasks: str, is_note: bool = False) -> None:
        """Add a sentence, if there is one."""
        if sentence is not None and is_note:
            self.notes.setdefault(sentence.replace("does not exist", "does not exist yet"), []).extend(tasks)
        elif sentence is not None:
            self.problems.setdefault(sentence, []).extend(tasks)

    def sentences(self) -> tuple[str, ...]:
        """Return the problems, each with its tasks."""
        return tuple(map(told, self.problems.items()))

    def noted(self) -> tuple[str, ...]:
        """Return the notes, each with its tasks."""
        return tuple(map(told, self.notes.items()))


@final
class Readiness:
    """Checks what the tasks of a plan need. ``files`` are the state file and the journal.

    ``runs_here`` is false if another executor may run the attempts on other machines: programs and folders of tasks
    are not checked then. ``knows_commands`` is false if a function makes each command just before its attempt.
    """

    def __init__(
        self,
        cascade: Cascade,
        *,
        root: Path,
        logs: Path,
        files: tuple[Path, Path],
        runs_here: bool = True,
        knows_commands: bool = True,
    ) -> None:
        self._cascade = cascade
        self._root = root
        state_file, journal = files
        self._writes = {"logs": logs, "state file": state_file.parent, "journal": journal.parent}
        self._logs = logs
        self._runs_here = runs_here
        self._knows_commands = knows_commands
        self._path = {"PATH": cascade.settings.env.get("PATH") or os.environ.get("PATH") or os.defpath}
        self._searches_folder = not all(place.startswith("/") for place in self._path["PATH"].split(os.pathsep))
        self._programs: dict[tuple[str, str], str | None] = {}
        self._folders: dict[Path, str | None] = {}

    def look(self, tasks: Iterable[Task], to_check: Collection[str] = ()) -> Findings:
        """Return what is missing for these tasks and for the run itself; those ``to_check`` need no agent any more."""
        found = Findings()
        found.add(clock_problem(datetime.now(UTC)))
        for what, path in self._writes.items():
            found.add(folder_problem(what, path))
        found.add(link_problem(self._logs))
        for path in one_of_each_disk(self._writes.values()):
            left = room_left(path)
            if left is not None and left < LITTLE_ROOM:
                found.add(f"only {left >> 20} MB free in {path}: free some space", is_note=left >= LEAST_ROOM)
        tasks = list(tasks)
        if self._knows_commands:
            found.problems.update(budget_problems(self._cascade, tasks, can_be_estimated(self._cascade)))
        if self._runs_here:
            for task in tasks:
                self._look_at(task, found, is_done=task.id in to_check)
        return found

    def require(
        self, history: History, only: Collection[str] | None, fresh: bool, retry_failed: bool
    ) -> tuple[str, ...]:
        """Return what is worth a warning before a run with these settings.

        Raises ``NotReadyError`` with all problems if the tasks that it would begin cannot run on this machine.
        """
        if not self._runs_here:
            found = self.look(self._cascade.tasks.values())
        else:
            outlook = look_ahead(self._cascade, history, only=only, fresh=fresh, retry_failed=retry_failed)
            begun = {task_id for together in outlook.rounds for task_id in together}
            tasks = [task for task_id, task in self._cascade.tasks.items() if task_id in begun]
            found = self.look(tasks, outlook.to_check)
        if found.problems:
            raise NotReadyError(found.sentences())
        return found.noted()

    def of_budget(self, usd: float | None, tokens: int | None, tasks: Iterable[Task]) -> tuple[str, ...]:
        """Say why the run's budget could not be enforced with these tasks, if somebody sets it while they run."""
        if not self._knows_commands:
            return ()
        settings = replace(self._cascade.settings, budget_usd=usd, budget_tokens=tokens)
        problems = budget_problems(
            replace(self._cascade, settings=settings), tasks, may_be_estimated(self._cascade)
        )  # the tasks' own budgets have been looked at
        return tuple(map(told, problems.items()))

    def of_program(self, job: Job | None) -> str | None:
        """Say why a job's program cannot be started on this machine, if it runs here and cannot."""
        if job is None or not self._runs_here:
            return None
        return program_problem(job.command[0], job.cwd, job.environment(os.environ))

    def _look_at(self, task: Task, found: Findings, *, is_done: bool) -> None:
        cwd = self._root / task.options.cwd
        # An earlier task may still make what is missing now.
        later = bool(task.depends_on)
        if cwd not in self._folders:
            self._folders[cwd] = working_folder_problem(cwd)
        found.add(self._folders[cwd], task.id, is_note=later)
        if self._knows_commands and not is_done:
            for place, served in enumerate(self._cascade.in_order(task)):
                self._look_at_agent(served, found, cwd, is_next=place > 0)
        if task.options.verify:
            program = task.options.verify[0]
            problem = self._program_problem(program, cwd)
            # A program in the task's folder may be what the task is to make.
            found.add(problem and f"verify: {problem}", task.id, is_note=is_in_folder(program))

    def _look_at_agent(self, task: Task, found: Findings, cwd: Path, *, is_next: bool) -> None:
        """Look at the agent of a task; one that ``is_next`` in the order may be missing."""
        if (program := program_of(self._cascade, task)) is not None:
            problem = self._program_problem(program, cwd)
            if problem is not None and is_next:
                problem = f"{task.options.choice} cannot take over at a usage limit: {problem}"
            elif problem is not None and self._cascade.command_of(task) is None:
                problem = f"{problem}{self._way_out(task.options.agent, problem)}"
            found.add(problem, task.id, is_note=is_next or (bool(task.depends_on) and is_in_folder(program)))
        if self._cascade.command_of(task) is None:
            found.add(root_problem(task, self._cascade.settings.env), task.id, is_note=True)
            found.add(login_left_out(task, self._cascade.settings, os.environ), task.id, is_note=True)

    def _program_problem(self, program: str, cwd: Path) -> str | None:
        depends_on_folder = is_in_folder(program) or ("/" not in program and self._searches_folder)
        key = program, str(cwd) if depends_on_folder else ""
        if key not in self._programs:
            self._programs[key] = program_problem(program, key[1] or None, self._path)
        return self._programs[key]

    def _way_out(self, name: str, problem: str) -> str:
        """Say how to install an agent, or name one that is installed."""
        agent = AGENTS[name]
        ways = [f"install it with `{agent.install}`"] if agent.install and problem == not_on_path(agent.program) else []
        others = (other for other in AGENTS.values() if other.program and other.name != name)
        here = next((other.name for other in others if find_agent(other, self._path) is not None), None)
        ways += [f"use `--agent {here}`, which is installed"] if here is not None else []
        text = ", or ".join(ways)
        return f". {text[0].upper()}{text[1:]}" if text else ""


def is_in_folder(program: str) -> bool:
    """Tell whether a program is named by its path from the task's folder."""
    return "/" in program and not program.startswith("/")


def program_of(cascade: Cascade, task: Task) -> str | None:
    """Return the program that a task's command starts; None if that is only known when it is started."""
    if (command := cascade.command_of(task)) is not None:
        return None if "{" in command[0] else command[0]
    agent = AGENTS.get(task.options.agent)
    return agent.program if agent is not None and agent.program else None


def root_problem(task: Task, plans: Mapping[str, str]) -> str | None:
    """Say that an agent is going to refuse a task's permissions to us; ``plans`` are the plan's variables."""
    agent, permissions = AGENTS.get(task.options.agent), task.options.permissions
    lifted_by = agent.not_for_root.get(permissions) if agent is not None else None
    if (
        agent is None
        or lifted_by is None
        or os.geteuid() != 0
        or (plans.get(lifted_by) or os.environ.get(lifted_by)) == "1"
    ):
        return None
    return (
        f'{agent.name} refuses `permissions = "{permissions}"` to root: run nova as another user, '
        f"or set {lifted_by}=1 if this machine is a sandbox"
    )


def login_left_out(task: Task, settings: RunSettings, here: Mapping[str, str]) -> str | None:
    """Say that a login to a task's agent is in a variable ``here`` that the agent does not get."""
    agent = AGENTS.get(task.options.agent)
    if agent is None or settings.pass_env is None:
        return None
    names = [name for name in agent.login_signs.variables if here.get(name)]
    seen = {*passed(here, settings.pass_env), *settings.env, *settings.accounts.get(task.options.account, {})}
    if not names or seen.intersection(agent.login_signs.variables):
        return None
    return f"{agent.name} does not get {names[0]}, which is set here: add it to pass_env if it is to log in with it"


def program_problem(program: str, cwd: str | None, env: Mapping[str, str]) -> str | None:
    """Say why a program cannot be started from a folder with these variables; None if nothing speaks against it."""
    place = cwd if cwd is not None and working_folder_problem(Path(cwd)) is None else None
    try:
        path = resolve([program], cwd=place, env=env)[0]
        return interpreter_problem(program, path, env)
    except OSError as error:
        return about_program(error, program)
    except ValueError as error:
        return f"`{program}` cannot be started: {error}"


def interpreter_problem(program: str, path: str, env: Mapping[str, str]) -> str | None:
    """Say which interpreter a script needs that is missing: many agents are scripts for Node.js."""
    try:
        with Path(path).open("rb") as file:
            first = file.read(LONGEST_SHEBANG).split(b"\n", 1)[0]
    except OSError:  # it may be started and not be read
        return None
    words = os.fsdecode(first[2:]).split() if first.startswith(b"#!") else []
    if not words:
        return None
    if words[0].endswith("/env"):
        words = without_assignments(words[2:] if words[1:2] == ["-S"] else words[1:])
        if not words or words[0].startswith("-") or not QUOTING.isdisjoint(words[0]):
            return None  # only env knows
    try:
        resolve(words[:1], env=env)
    except (OSError, ValueError):
        where = "does not exist" if "/" in words[0] else "is not on PATH"
        return f"`{program}` ({path}) needs `{words[0]}`, which {where}"
    return None


def find_agent(agent: Agent, env: Mapping[str, str] = os.environ) -> str | None:
    """Return the path of an agent's program; None if it, or the interpreter that it needs, is not installed."""
    try:
        path = resolve([agent.program], env=env)[0]
    except (OSError, ValueError):
        return None
    return path if interpreter_problem(agent.program, path, env) is None else None


def working_folder_problem(cwd: Path) -> str | None:
    """Say why no task can work in a folder."""
    try:
        if not cwd.is_dir():
            what = "is not a folder: change" if cwd.exists() else "does not exist: create it, or change"
            return f"the working folder {cwd} {what} `cwd`"
    except OSError as error:
        return f"the working folder {cwd} cannot be used ({error.strerror}): change `cwd`"
    return None if os.access(cwd, os.X_OK) else f"the working folder {cwd} cannot be entered: change its permissions"


def folder_problem(what: str, path: Path) -> str | None:
    """Say why a folder of ours, or one that a file of ours stands in, cannot be written to or made."""
    folder = nearest_folder(path)
    if folder is None or not folder.is_dir():
        return f"cannot write the {what} in {path}: {folder} is not a folder. Choose another place"
    if is_read_only(folder):
        return f"cannot write the {what} in {path}: {folder} is on a read-only file system. Choose another place"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"cannot write the {what} in {path}: change the permissions of {folder}, or choose another place"
    return None


def link_problem(logs: Path) -> str | None:
    """Say so if the usual folder of logs is a link, which may lead to any folder of the user."""
    try:
        refuse_links(logs, chosen_by_us(logs, LOG_DIR), "remove it, or name the folder yourself (--log-dir)")
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    return None


def nearest_folder(path: Path) -> Path | None:
    """Return the first of a path and those above it that exists."""
    try:
        return next((place for place in (path, *path.absolute().parents) if place.exists()), None)
    except OSError:
        return None


def is_read_only(folder: Path) -> bool:
    """Tell whether a folder's file system takes no writes, whatever its permissions are."""
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def one_of_each_disk(places: Iterable[Path]) -> Iterable[Path]:
    """Give the folders that are there for these places, one for each disk: what is said of it is said once."""
    found: dict[int, Path] = {}
    for path in map(nearest_folder, places):
        try:
            if path is not None:
                found.setdefault(path.stat().st_dev, path.absolute())
        except OSError:
            continue
    return found.values()


def room_left(folder: Path) -> int | None:
    """Return how many bytes are free on a folder's disk; None if the system does not say."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return None
    return disk.f_bavail * disk.f_frsize if disk.f_blocks else None  # some network disks tell nothing


def clock_problem(now: datetime) -> str | None:
    """Say so if the clock is so wrong that no server's certificate would be valid."""
    if now.year in SANE_YEARS:
        return None
    return f"the clock says {now:%Y-%m-%d}: set it, or agents will reject every server's certificate"
