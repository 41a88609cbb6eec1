"""Placeholders in prompts: ``{{F1.result}}``, what a task before this one answered, and ``{error}``."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from nova_async.cascade import graph
from nova_async.cascade.diagnostics import Diagnostic, did_you_mean, shown
from nova_async.cascade.ids import ID

if TYPE_CHECKING:
    from nova_async.cascade.cascade import Task

__all__ = ["fill_prompt", "result_problems", "results_wanted", "wants_error"]

# `${{ needs.build.result }}` is GitHub's, `${error}` a shell's, and `{{error}}` some template's.
RESULT = re.compile(rf"(?<!\$)\{{\{{( *)({ID})\.result *\}}\}}", re.ASCII)
PLACEHOLDER = re.compile(rf"{RESULT.pattern}|(?<![{{$])\{{error\}}(?!\}})", re.ASCII)


def results_wanted(prompt: str) -> Iterator[tuple[str, bool]]:
    """Give the ids whose results a prompt asks for, each with whether it can be meant as nothing else.

    With spaces inside the braces it may also be the text of a template that an agent is to write.
    """
    if "{{" in prompt:
        yield from ((found[2], not found[1]) for found in RESULT.finditer(prompt))


def fill_prompt(prompt: str, result_of: Callable[[str], str | None], error: str) -> str:
    """Fill the placeholders of a prompt in one pass: what a result brings in is not looked at again.

    ``result_of`` may return None for an id that is no task: then the text stays.
    """

    def value(found: re.Match[str]) -> str:
        if found[2] is None:
            return error
        result = result_of(found[2])
        return found[0] if result is None else result

    return PLACEHOLDER.sub(value, prompt)


def wants_error(prompt: str) -> bool:
    """Tell whether a prompt says itself where the error of the last attempt is to stand."""
    return any(found[2] is None for found in PLACEHOLDER.finditer(prompt))


def result_problems(tasks: "Mapping[str, Task]", file: str) -> list[Diagnostic]:
    """Find results that a prompt asks for and can never get, because the task does not come after theirs (E205)."""
    wanted = {task.id: dict(results_wanted(task.description)) for task in tasks.values() if "{{" in task.description}
    if not any(wanted.values()):
        return []
    earlier = graph.ancestors_of({task.id: [on for on in task.depends_on if on in tasks] for task in tasks.values()})
    problems = []
    for task_id, results in wanted.items():
        for needed, is_ours in results.items():
            if needed in tasks:
                if task_id in earlier and needed not in earlier[task_id]:  # of a circle there is a message already
                    text = f"the prompt of {task_id} asks for the result of {needed}, which it does not depend on"
                    problems.append(Diagnostic(tasks[task_id].line, "E205", text, file))
            elif is_ours:
                text = f"the prompt of {task_id} asks for the result of unknown task {shown(needed)}"
                guess = did_you_mean(needed, tasks)
                problems.append(Diagnostic(tasks[task_id].line, "E205", f"{text}{guess}", file))
    return problems
