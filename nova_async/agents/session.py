"""What an agent writes down about its sessions in files of its own, and how that completes what it prints.

Formats are those of the tested versions (docs/agents.md). Nothing here looks at a file: what is found there is fed in.
These files are internal to the agents, so one that is missing or strange means that nothing is known, never an error.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, final

from nova_async.agents.ledger import UsageLedger, bounded, less
from nova_async.agents.reader import AgentReport, Gauge, KeptAnHour, LineSplitter, UsageByModel
from nova_async.usage import TokenUsage
from nova_async.words import UsageSource

__all__ = ["HEAD", "SessionFile", "SessionFiles", "SessionReader", "SessionRows", "SessionUsage", "completed"]

HEAD = 4096  # bytes at the beginning of a file that tell whose it is; the longest known need 400
MILLISECOND = timedelta(milliseconds=1)  # as exact as their timestamps are


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SessionUsage:
    """What a session has used since a moment, as its files tell."""

    usage: TokenUsage = field(default_factory=TokenUsage)
    """Of the session and its sub-agents."""
    usage_by_model: UsageByModel = field(default_factory=UsageByModel)
    kept_an_hour: KeptAnHour = field(default_factory=KeptAnHour)
    """As in a report."""
    own: TokenUsage = field(default_factory=TokenUsage)
    """Of the session alone, without its sub-agents."""
    before: TokenUsage = field(default_factory=TokenUsage)
    """What the session alone had used until then, where the agent's own total contains it."""
    cost_usd: float | None = None
    """US dollars, as the agent reckons them; None where it writes down none."""
    gauges: tuple[Gauge, ...] = ()
    """How full the account is, the latest of each kind, where the agent tells it there alone."""
    is_cut: bool = False
    """Whether something was left out: lines or files too large to read, or there was no time."""


@final
@dataclass(slots=True)
class SessionFile:
    """One file of a session while it is read."""

    is_own: bool
    """Whether it is the session's own file and not a sub-agent's."""
    lines: LineSplitter = field(default_factory=LineSplitter)
    model: str = ""
    """The model that was named last."""
    has_begun: bool = False
    """Whether a line of this process was seen: all that follow are new, whatever the clock has done since."""
    is_foreign: bool = False
    """Whether it turned out to be another session's."""


class SessionReader(ABC):
    """Counts what the files of one session tell, cut anywhere; a line counts once it is whole.

    A session that was gone on with has records of earlier processes, too: only those since ``since`` count.
    """

    MARKS: ClassVar[tuple[bytes, ...]]
    """Each line that matters has one of these; most bytes are what tools gave, and are not decoded."""

    def __init__(self, session_id: str, since: datetime | None = None) -> None:
        self.session_id = session_id
        self.own, self.others, self.an_hour = UsageLedger(), UsageLedger(), UsageLedger()
        self._since = None if since is None else since - MILLISECOND
        self._files: dict[str, SessionFile] = {}
        self.gauges: dict[str, Gauge] = {}  # by their kinds
        self.before = TokenUsage()

    def feed(self, name: str, chunk: bytes, *, is_own: bool) -> None:
        """Take the next bytes of a file; it never raises. ``is_own`` is False for a sub-agent's."""
        file = self._files.get(name)
        if file is None:
            file = self._files[name] = SessionFile(is_own)
        for line in file.lines.feed(chunk):
            if not file.is_foreign and line.startswith(b"{") and any(mark in line for mark in self.MARKS):
                self.read_line(line, file)

    @property
    def usage(self) -> SessionUsage:
        """What has been used since then."""
        own, by_model = self.own.read()
        others, by_other = self.others.read()
        models = dict(by_model)
        for name, used in by_other.items():
            models[name] = bounded(models[name] + used) if name in models else used
        is_cut = any(file.lines.oversize_lines for file in self._files.values())
        return SessionUsage(
            usage=bounded(own + others), usage_by_model=UsageByModel(models), kept_an_hour=self.an_hour.read_kept(),
            own=own, before=self.before, gauges=tuple(self.gauges.values()), is_cut=is_cut,
        )  # fmt: skip

    def ledger_of(self, file: SessionFile) -> UsageLedger:
        """Return where what stands in a file is counted."""
        return self.own if file.is_own else self.others

    def is_new(self, timestamp: Any, file: SessionFile) -> bool:
        """Tell whether a record of that time is of this process; agents only ever append to their files."""
        if self._since is None or file.has_begun:
            return True
        try:
            moment = datetime.fromisoformat(timestamp)
            file.has_begun = moment >= self._since
        except (TypeError, ValueError):  # no time, or one of no time zone
            return False
        return file.has_begun

    @abstractmethod
    def read_line(self, line: bytes, file: SessionFile) -> None:
        """Take one whole line that begins like a JSON object and has one of the marks."""


@dataclass(frozen=True, slots=True)
class SessionRows:
    """How to ask an SQLite database for a session; nothing here asks."""

    query: str
    """With ``:session`` and ``:since``, in milliseconds since the epoch."""
    read: Callable[[Iterable[tuple[Any, ...]], str], SessionUsage]
    """Turns its rows and the session's id into what was used."""


def _is_nobodys(head: bytes, session_id: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class SessionFiles:
    """Where an agent writes down its sessions, with what they have used; nothing here looks."""

    folder: str
    """Below the user's home folder."""
    variable: str | None
    """The environment variable that names another folder in its place."""
    patterns: tuple[str, ...]
    """What to look for below it, as for ``glob``, to be formatted with ``session_id``: first the session's own file,
    then those of its sub-agents."""
    home_variable: str | None = None
    """The environment variable that names another home folder to this agent."""
    sessions_variable: str | None = None
    """The environment variable that names another folder for the sessions alone."""
    related: tuple[str, ...] = ()
    """Patterns of files that may be a sub-agent's; ``is_related`` tells."""
    is_related: Callable[[bytes, str], bool] = field(default=_is_nobodys, repr=False)
    """Whether a file that begins with these ``HEAD`` bytes belongs to this session."""
    make_reader: Callable[[str, datetime | None], SessionReader] | None = field(default=None, repr=False)
    """Session id, moment or None -> a reader of its files; None where they are not lines that can be read."""
    rows: SessionRows | None = field(default=None, repr=False)
    """How to read them where they are a database."""
    tell_before: bool = False
    """Whether the agent's own total is that of the session: what earlier processes have used is told by these files."""
    are_whole: bool = False
    """Whether every answer of a run that ended by itself is in them, and no call of the agent's own is left out."""

    def folder_in(self, environment: Mapping[str, str], home: str) -> str:
        """Return the folder of an agent with these variables; a relative one is below its working directory."""
        chosen = environment.get(self.variable) if self.variable else None
        home = (environment.get(self.home_variable) if self.home_variable else None) or home
        return chosen or f"{home}/{self.folder}"

    def sessions_in(self, environment: Mapping[str, str], home: str) -> str:
        """Return the folder below which its sessions are; it may be relative, too."""
        chosen = environment.get(self.sessions_variable) if self.sessions_variable else None
        return chosen or self.folder_in(environment, home)

    @property
    def can_be_read(self) -> bool:
        """Whether anything is known of what is in them."""
        return self.make_reader is not None or self.rows is not None


def completed(
    report: AgentReport, told: SessionUsage | None, *, ended_by_itself: bool = False, are_whole: bool = False
) -> AgentReport:
    """Return a report with what the session's files tell beyond it.

    Neither of the two ever counts too much, so the larger number of each kind is right: the files have the final
    numbers of every finished answer and sub-agent, the output also what it told of an answer that was cut in its
    middle. Such an answer is in no file, so the sum is final only where the agent ``ended_by_itself`` and its files
    ``are_whole``.
    """
    if told is not None and told.gauges and not report.gauges:
        report = replace(report, gauges=told.gauges)
    if told is not None and told.own.total and told.before.total and report.usage == told.own + told.before:
        report = replace(report, usage=told.own, usage_is_final=False)  # it was the total of the session
    if told is None or not told.usage.total:
        return report
    if report.usage_is_final:
        return _named(_at_least(report, told.own), told)
    usage = _larger(report.usage, told.usage)
    costs = [cost for cost in (report.cost_usd, told.cost_usd) if cost is not None]
    is_total = told.own == report.usage if report.usage_source is UsageSource.FINAL else not report.usage.total
    return replace(
        report,
        usage=usage,
        usage_by_model=_parts(usage, told, report.model),
        kept_an_hour=_more_kept(report.kept_an_hour, told.kept_an_hour),
        usage_source=UsageSource.SESSION_FILES,
        usage_is_final=ended_by_itself and are_whole and is_total and not told.is_cut and not report.unfinished,
        cost_usd=max(costs, default=None),
        model=report.model or next(iter(told.usage_by_model), None),
    )


def _at_least(report: AgentReport, own: TokenUsage) -> AgentReport:
    """Return a report with all that the session's own file has.

    The total of a thread lacks what its agent had not added up when an earlier process of it was killed.
    """
    usage = _larger(report.usage, own)
    return report if usage == report.usage else replace(report, usage=usage, usage_source=UsageSource.SESSION_FILES)


def _named(report: AgentReport, told: SessionUsage) -> AgentReport:
    """Return a report with the models, where the output names none."""
    if report.model is not None or report.usage_by_model or report.usage != told.usage or not told.usage_by_model:
        return report
    return replace(report, usage_by_model=told.usage_by_model, model=next(iter(told.usage_by_model)))


def _larger(one: TokenUsage, other: TokenUsage) -> TokenUsage:
    return TokenUsage(*map(max, one.as_dict().values(), other.as_dict().values()))


def _more_kept(one: Mapping[str, int], other: Mapping[str, int]) -> KeptAnHour:
    return KeptAnHour({model: max(one.get(model, 0), other.get(model, 0)) for model in {**one, **other}})


def _parts(usage: TokenUsage, told: SessionUsage, model: str | None) -> UsageByModel:
    """Return the parts by model; what the files do not have is the main model's."""
    parts = dict(told.usage_by_model)
    rest = TokenUsage(*less(usage.as_dict().values(), told.usage.as_dict().values()))
    if model is not None and rest.total:
        parts[model] = parts.get(model, TokenUsage()) + rest
    return UsageByModel(parts)
