"""What can be found out about an agent without a network: its path, its version, signs of a login."""

import asyncio
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from nova_async.agents import AGENTS
from nova_async.agents.agent import Agent
from nova_async.attempt.ends import not_on_path
from nova_async.cli.checks import Check, Verdict
from nova_async.orchestrator.readiness import find_agent, program_problem
from nova_async.worker.async_worker import AsyncWorker
from nova_async.worker.limits import Limits

__all__ = ["check_agents", "compare_versions", "login_sign"]

VERSION_SECONDS = 10.0  # a busy machine takes two for the slowest; one that takes ten would not work either
VERSION = re.compile(r"\d+(?:\.\d+)+")
MOST_OUTPUT = 64 * 1024  # characters of it are looked at


async def check_agents(names: Iterable[str]) -> list[Check]:
    """Check these agents, all at once."""
    return await asyncio.gather(*(check_agent(AGENTS[name]) for name in names))


async def check_agent(agent: Agent) -> Check:
    """Check one agent. A missing one is only a problem for the tasks that need it, and is reported with those."""
    path = find_agent(agent)
    if path is None:
        problem = program_problem(agent.program, None, os.environ)
        if problem is not None and problem != not_on_path(agent.program):
            return Check(agent.name, Verdict.PROBLEM, problem)
        return Check(agent.name, Verdict.NOTE, "not installed", f"`{agent.install}`" if agent.install else "")
    version, trouble = await ask_version(path)
    facts = {"path": path, "version": version}
    if trouble is not None:
        return Check(agent.name, Verdict.PROBLEM, trouble, "run it yourself, or install it again", facts)
    sign = login_sign(agent, os.environ, Path.home())
    facts["login"] = sign
    known = compare_versions(version, agent.tested_versions)
    told = f"{version or 'version unknown'}{f' ({known})' if known else ''}, {path}"
    if sign is not None:
        return Check(agent.name, Verdict.OK, f"{told}; login: {sign}", facts=facts)
    cure = f"to log in: {agent.login}" if agent.login else ""
    return Check(agent.name, Verdict.NOTE, f"{told}; no sign of a login", cure, facts)


async def ask_version(path: str) -> tuple[str | None, str | None]:
    """Return the version that a program reports, and what went wrong if it failed."""
    with TemporaryDirectory(prefix="nova-doctor-") as folder:
        worker = AsyncWorker("version", log_dir=folder, limits=Limits(timeout=VERSION_SECONDS))
        try:
            await worker.start([path, "--version"])
            await worker.wait()
        except OSError as error:
            return None, f"{path} cannot be started: {error.strerror or error}"
        finally:
            await worker.terminate(0.0)
        said = worker.log_path.read_text(errors="replace")[:MOST_OUTPUT] if worker.log_path.exists() else ""
    if worker.get_exit_code() != 0:
        last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "")
        return None, f"`{path} --version` failed: {worker.error}{f' ({last})' if last else ''}"
    found = VERSION.search(said)
    return (found[0] if found else None), None


def compare_versions(version: str | None, tested: tuple[str, ...]) -> str:
    """Say how a version compares with those that were tested; nothing if that is unknown."""
    if version is None or not tested:
        return ""
    if version in tested:
        return "tested"
    here, numbers = as_numbers(version), list(map(as_numbers, tested))
    if here > max(numbers):
        return f"newer than tested: {tested[-1]}"
    return f"older than tested: {tested[0]}" if here < min(numbers) else f"tested: {', '.join(tested)}"


def as_numbers(version: str) -> tuple[int, ...]:
    """Return the parts of a version as numbers."""
    return tuple(int(part[:9]) for part in version.split("."))  # longer ones are no versions


def login_sign(agent: Agent, environment: Mapping[str, str], home: Path) -> str | None:
    """Return the variable or file that shows a login to an agent; None if nothing shows one."""
    for variable in agent.login_signs.variables:
        if environment.get(variable):
            return variable
    if (files := agent.session_files) is None:
        return None
    folder = Path(files.folder_in(environment, str(home)))
    for name in agent.login_signs.files:
        if (folder / name).is_file():
            return str(folder / name)
    return None
