"""Read Qwen Code's ``-o json`` and ``-o stream-json``.

Formats and rules are those of version 0.15.10 (docs/agents.md). Its lines look like Claude's and mean other things:
``input_tokens`` contains the cached ones, ``result.usage`` is the whole truth (sub-agents and a hidden call for its
memory included), and a run that the API refused ends as a success whose text begins with ``[API Error: `` (G40).
"""

import re
from typing import Any, final

import msgspec

from nova_async._core.text import one_line
from nova_async.agents.background import TaskFields
from nova_async.agents.event_reader import decode, http_status
from nova_async.agents.failures import MOST_WORDS
from nova_async.agents.ledger import NOTHING, Counts, count, less
from nova_async.agents.message_lines import (
    SUB_AGENT,
    AssistantLine,
    EventLine,
    MessageReader,
    Usage,
    UserLine,
    silent_line,
)
from nova_async.agents.reader import MAX_RESULT
from nova_async.agents.wording import plain_text
from nova_async.usage import TokenUsage
from nova_async.words import Outcome

__all__ = ["QwenReader"]

# Most lines with partial messages. They hold no usage, and no piece of text can contain the mark of the few that say
# what begins: inside a string its quotes are escaped.
_STREAMED = b'{"type":"stream_event",'
_BLOCK_BEGINS = b'"event":{"type":"content_block_start"'
STATS = ("prompt", "candidates", "cached", "")  # the names in ``stats``, which has no cache creation
API_ERROR = "[API Error: "
_RETRYING = re.compile(rb"Retrying in \d{1,6}s \(attempt (\d{1,6})/\d{1,6}\): \[API Error: (.*)\]$")
EMPTY = f"{API_ERROR}Model stream ended "
_AFTER_IT = re.compile(r"\]\n(?:Please wait|Possible quota)")  # advice that follows the mark where it was a 429
_STATUS = re.compile(r"(\d{3})\b|.*\(Status: (\d{3})\)")
OAUTH = ("Qwen OAuth quota exceeded:", "Qwen OAuth free tier has been discontinued")  # told without the mark


class _Data(TaskFields):
    attempt: Any = None
    maxRetries: Any = None
    delayMs: Any = None


class _SystemLine(msgspec.Struct, tag="system"):
    subtype: Any = None
    session_id: Any = None
    model: Any = None
    data: _Data | None = None


class _ResultLine(msgspec.Struct, tag="result"):
    subtype: Any = None
    session_id: Any = None
    is_error: Any = None
    num_turns: Any = None
    result: Any = None
    error: Any = None
    usage: Any = None
    stats: Any = None
    permission_denials: Any = None


_Line = AssistantLine | EventLine | UserLine | _SystemLine | _ResultLine
_LINE: msgspec.json.Decoder[_Line] = msgspec.json.Decoder(_Line)


def _counts_of(used: Any, names: tuple[str, ...] = Usage.__struct_fields__[:4]) -> Counts:
    """Return the four counts of an object whose input contains what was read from the cache."""
    fields = used if isinstance(used, dict) else {}
    whole, output, read, created = (count(fields.get(name)) for name in names)
    return max(0, whole - read), output, read, created


@final
class QwenReader(MessageReader):
    """Reads Qwen Code; ``resumed_from`` is what its session had used before this process."""

    CANNOT_BEGIN = re.compile(rb"No auth type is selected|Missing API key for ")
    REFUSAL = re.compile(rb'"Qwen Code requires permission to use ')
    UNKNOWN_SESSION = re.compile(rb"No saved session found with (?:ID|title) ")

    def __init__(self, mode: str | None = None, resumed_from: TokenUsage | None = None) -> None:
        super().__init__(mode)
        self._before = resumed_from or TokenUsage()
        self._last_was_served = False  # whether the main agent's last words have used tokens
        self._retry = 0  # the try that it is waiting for now
        self._refused: tuple[int, str] | None = None  # the try before which it said on standard error why, and why

    def read_event(self, line: bytes) -> bool:
        """Take one event, a JSON object in one line; say whether it changed anything."""
        if line.startswith(_STREAMED) and _BLOCK_BEGINS not in line:
            return False
        match decode(_LINE, line) or silent_line(line):
            case AssistantLine() as answer:
                self._read_assistant(answer)
            case EventLine(event=event, parent_tool_use_id=parent):
                if event is not None and event.type == "content_block_start" and event.content_block is not None:
                    self._block = event.content_block, parent
            case UserLine(message=message):
                self.show_results(message)
            case _SystemLine(subtype="init") as begun:
                if self.is_another(begun.session_id):
                    self._before = TokenUsage()  # that was another session's
                self.begin_process(begun.session_id)
                self.begin_turn()
                self.name_model(begun.model)
                self.show("starting")
            case _SystemLine(subtype="retry", data=_Data() as told):
                self._retry = count(told.attempt)
                self.show(f"retrying in {count(told.delayMs) // 1000} s, {self._retry}/{count(told.maxRetries)}")
                self._judge_retry()
            case _SystemLine(subtype="task_started" | "task_notification" as subtype, data=_Data() as told):
                self.background.read(subtype, told)
                if subtype == "task_started" and isinstance(told.description, str):
                    self.show(one_line(SUB_AGENT + told.description))
            case _ResultLine() as ended:
                self._read_result(ended)
            case _:
                return False
        return True

    def read_note(self, line: bytes) -> bool:
        """Take a line of standard error, which tells what a retry is about."""
        why = _RETRYING.match(line)
        if why is None:
            return super().read_note(line)
        self._refused = int(why[1]), why[2][:MOST_WORDS].decode("utf-8", "replace")
        return self._judge_retry()

    def _judge_retry(self) -> bool:
        """Tell whether it tries again in vain: where its event of a retry and its words about the same one agree."""
        if not self._retry or self._refused is None or self._refused[0] != self._retry:
            return False
        self._fail_with(self._refused[1])
        self.is_hopeless = self.limit is not None or self.failure is Outcome.AUTH
        return True

    def _fail_with(self, refused: str) -> None:
        status = _STATUS.match(refused)
        self.fail(f"API error: {refused}", http_status(int(status[1] or status[2])) if status else None)

    def _read_assistant(self, answer: AssistantLine) -> None:
        message = answer.message
        if message is None:
            return
        self.name_session(answer.session_id)
        if answer.parent_tool_use_id is None:
            self.begin_answer()
            self.name_model(message.model)
        self.has_answered = True
        counts: Counts = NOTHING
        if message.usage is not None and isinstance(message.id, str):
            counts = _counts_of(msgspec.structs.asdict(message.usage))
            if any(counts):  # all blocks of an answer but the last have none, and ids of their own
                self.ledger.put(message.id, counts, message.model if isinstance(message.model, str) else "")
        if answer.parent_tool_use_id is None:
            self._last_was_served = any(counts)
            if self._retry and self._last_was_served and self.is_error is None:
                self._retry, self._refused, self.is_hopeless, self.limit = 0, None, False, None
                self.forget_failure()
        self.show_answer(message, answer.parent_tool_use_id)

    def _read_result(self, ended: _ResultLine) -> None:
        self.end_session(ended.session_id)
        self.ledger.settle(self._less_before(self._by_model(ended.stats, _counts_of(ended.usage))))
        self.turns = count(ended.num_turns) if type(ended.num_turns) is int else self.turns
        self.result = plain_text(ended.result, MAX_RESULT)
        self.forget_tools()
        self.read_denials(ended.permission_denials)
        failed = ended.is_error if isinstance(ended.is_error, bool) else ended.subtype != "success"
        told = ended.error.get("message") if isinstance(ended.error, dict) else None
        words = next((text for text in (told, self.result) if isinstance(text, str) and text), "")
        # Its own words stand in place of an answer or after one that broke off, and neither has used tokens: a model
        # that says the same has. It words one end of its own after an answer that was paid for, and empty.
        may_be_its_own = failed or not self._last_was_served or words.startswith(EMPTY)
        refused = _refusal_in(words) if may_be_its_own else None
        if refused is not None:
            self._fail_with(refused)
        elif failed:
            self.fail(
                words or (ended.subtype if isinstance(ended.subtype, str) else "it failed without an error message"),
                None,
            )
        else:
            self.succeed()
        self.is_error, self.goes_on = failed or refused is not None, False

    def _less_before(self, by_model: dict[str, Counts]) -> dict[str, Counts]:
        """Take off what earlier processes of a resumed session have used: a result has the session's total (G32)."""
        if not self._before.total:
            return by_model
        total = map(sum, zip(*by_model.values(), strict=True))
        left = less(total, self._before.as_dict().values())
        return {self.model or "": left}  # of which model those were is not known

    def _by_model(self, stats: Any, total: Counts) -> dict[str, Counts]:
        models = stats.get("models") if isinstance(stats, dict) else None
        by_model = {
            name: _counts_of(used.get("tokens"), STATS)
            for name, used in (models.items() if isinstance(models, dict) else ())
            if isinstance(used, dict)
        }
        if tuple(map(sum, zip(*by_model.values(), strict=True))) == total:
            return by_model
        return {self.model or "": total}  # it has one model at a time; the parts may only refine the total


def _refusal_in(text: str) -> str | None:
    """Return what the API answered in place of the model, or after the first words of an answer that broke off."""
    if text.startswith(OAUTH):
        return text[:MOST_WORDS]
    at = 0 if text.lstrip().startswith(API_ERROR) else text.rfind(API_ERROR)
    if at < 0:
        return None
    rest = text[at:].strip()
    if at > 0 and not (rest.endswith("]") or _AFTER_IT.search(rest)):
        return None  # the model talks about one
    return rest.removeprefix(API_ERROR)[:MOST_WORDS].removesuffix("]")
