"""What kind of failure an agent's own words tell of, where they tell more than that it failed.

Only what the program itself words is looked at: its error events and its standard error, never what a model or a tool
said (G43). An HTTP status says more than any words, so words decide where there is none, or where it leaves open what
it means. The wordings are those of the five programs, recorded with a model server that failed in each of these ways.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import final

from nova_async._core.text import LOOK_AT, one_line
from nova_async.agents.ledger import MAX_NAME
from nova_async.agents.reader import UsageLimit
from nova_async.agents.resets import instant_of, seconds_of, told_in
from nova_async.words import Outcome

__all__ = [
    "EXIT_MEANINGS",
    "LONGEST_MOMENT",
    "MOST_WORDS",
    "NO_NETWORK",
    "THIS_MODEL",
    "failure_of",
    "failure_of_status",
    "is_short",
    "limit_of_words",
    "model_in",
    "retry_after_of",
]

MOST_WORDS = 4 * LOOK_AT  # characters of an error that are looked at; the reason stands at its beginning
REFUSED = frozenset({401, 403, 407})
OVERLOADED = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529, 530})
PAYMENT_REQUIRED = 402
# 400: Anthropic, no credit left; 401: opencode Zen, no balance; 403: Alibaba, free tier used up
MAY_BE_LIMITS = frozenset({None, 400, 401, 402, 403, 429})


@final
class _AnyOf:
    """Several patterns. ``re`` compiles them when a text is compared with them, which few ever are."""

    def __init__(self, *patterns: str) -> None:
        self._pattern = "|".join(patterns)

    def search(self, text: str) -> re.Match[str] | None:
        """Find the first place where one of them fits, whatever the case."""
        return re.search(self._pattern, text, re.IGNORECASE)


NETWORK = _AnyOf(
    r"connection (?:was |is )?(?:error|failed|failure|refused|reset|closed|aborted|lost|terminated|timed out|timeout)",
    r"Connection(?:Refused|Reset|Closed|Aborted)|connect(?:ion)?_?error",
    r"\bE(?:CONN(?:REFUSED|RESET|ABORTED)|NOTFOUND|AI_AGAIN|TIMEDOUT|HOSTUNREACH|NETUNREACH|NETDOWN|PIPE)\b|UND_ERR_",
    r"(?:unable to|cannot|can't|can not|could not|failed to|couldn't) (?:connect|reach|resolve)",
    r"socket (?:hang up|connection was closed|closed)|other side closed|fetch failed|\bterminated\b|premature close",
    r"network (?:error|failure|problem|is unreachable|connection)|network[_ ]error|waiting for network|disconnected",
    r"stream (?:disconnected|closed|error|interrupted|idle)|without a finish ?reason|incomplete (?:json|chunked)",
    r"mid-(?:response|stream)|while thinking, before producing",
    r"timed?[ -]?out\b|\bdeadline exceeded",
    r"error sending request|error (?:while )?(?:reading|decoding) (?:the |a )?(?:server )?(?:response|body)",
    r"getaddrinfo|dns error|name resolution|check your (?:internet|network)",
)
NO_NETWORK = _AnyOf(r"certificate|\bSSL\b|\bTLS\b|self[ -]signed")  # no retry cures these
AUTH = _AnyOf(
    r"not logged in|/login\b|log ?in (?:again|required)|sign in again|login required|not authenticated",
    r"(?:invalid|incorrect|missing|no|wrong|expired) (?:x-)?(?:\w+ )?api[ _-]?key",
    r"api[ _-]?key (?:not|is|was|has|provided|expired|invalid|missing|required)|_api_key\b.{0,40}\bnot (?:set|found)",
    r"missing environment variable|must specify the .{1,80} environment variable|please set an auth method",
    r"no auth(?:entication)? (?:type|method)|(?:oauth|access|refresh|session) token (?:could|has|was|is) ",
    r"authentication[ _](?:failed|error|required)|failed to authenticate|unauthori[sz]ed|unauthenticated",
    r"permission_denied|(?:credentials?|token) (?:are |is |was |has |have )?(?:not found|missing|expired|revoked)",
)
OVERLOAD = _AnyOf(
    r"overload|RESOURCE_EXHAUSTED|too many requests|rate[ _-]?limit|at capacity|high (?:demand|load)",
    r"(?:service|temporarily|currently|model is) unavailable|\bUNAVAILABLE\b|internal server error|server_error",
    r"bad gateway|gateway time-?out|please wait and try again later",
)
LIMITS = (
    (_AnyOf(r"5[- ]hour (?:usage )?limit|limit reached for 5 hour|session limit|\bhour allocated quota"), "five_hour"),
    (_AnyOf(r"weekly (?:usage )?(?:limit|quota)|\bweek allocated quota"), "seven_day"),
    (_AnyOf(r"daily (?:[\w.-]+ ){0,2}(?:limit|quota)|PerDay|requests per day|per-day"), "daily"),
    (_AnyOf(r"exhausted your capacity"), "capacity"),
    (_AnyOf(r"monthly (?:usage |spend(?:ing)? )?(?:limit|quota|cap)|\bmonth allocated quota"), "monthly"),
    (_AnyOf(r"credit balance|insufficient[ _](?:\w+[ _])?(?:balance|credits?|funds)|payment required|credit limit",
             r"out of (?:(?:usage|extra) )?(?:credits|usage)\b|spend(?:ing)? (?:cap|limit)\b|requires usage credits",
             r"Arrearage|account is in good standing"), "credit"),
    (_AnyOf(r"(?:hit|reached) your (?:[\w.-]+ ){0,3}limits?\b|usage[ _]?limit"), "usage"),
    (_AnyOf(r"insufficient_quota|exceeded your current quota|billing[ _]hard[ _]limit|quota exceeded|quota_exceeded",
             r"exhausted your (?:[\w.-]+ ){0,3}quota|free tier .{0,60}(?:exhausted|exceeded|discontinued)"), "quota"),
    (_AnyOf(r"with your ChatGPT plan, upgrade"), "plan"),
)  # fmt: skip
# Where a status mostly means something else: what a provider says of its customer's account, and nothing vaguer.
ONLY_OF_ACCOUNTS = {400: frozenset({"credit", "monthly", "usage"}), 401: frozenset({"credit", "monthly"})}
A_MOMENT = _AnyOf(r"per[ -]?(?:min(?:ute)?|second)\b|PerMinute|/ ?min\b|\b[rt]pm\b")  # over before anybody has looked
OFTEN_A_MOMENT = frozenset({"quota", "capacity"})  # Google words a minute's limit and a day's alike
LONGEST_MOMENT = 300.0  # seconds; Gemini CLI, too, waits for no more than that
NO_QUOTA_AT_ALL = _AnyOf(r"\blimit: ?0\b(?!\.)")
# With a day's limit, too, Google tells a minute's delay.
_GOOGLES_DELAY = _AnyOf(r"retry_?delay|please retry in|suggested retry after")
# What is over for one model alone, as it is named there. Claude's own kinds of these limits are named alike.
MODELS = _AnyOf(
    r"\b(opus|sonnet|haiku|fable)(?: [\d.]+)? (?:weekly )?limit|weekly limit for (opus|sonnet|haiku|fable)\b",
    r"limit (?:reached )?for (?!(?:this|the|your|today|\d)\b)(\w[\w.:/ -]{0,60}?)(?=[.,;]?\s*$|[.,;]\s|\s(?:in|on)\s)",
    r"\bon (this model)\b|daily ([\w.-]{1,60}) quota limit|quota metric '([^']{1,60}?) Requests",
    r'\bmodel\\?"?: ?\\?"?([a-z][\w./-]{1,60})',
)
THIS_MODEL = "this model"


def failure_of_status(status: int | None) -> Outcome | None:
    """Return what an HTTP status says by itself; None where it leaves open what went wrong."""
    if status in REFUSED:
        return Outcome.AUTH
    return Outcome.OVERLOAD if status in OVERLOADED else None


EXIT_MEANINGS: Mapping[int, Outcome] = MappingProxyType(
    {41: Outcome.AUTH} | {code % 256: said for code in range(400, 512) if (said := failure_of_status(code)) is not None}
)
"""The exit codes of Gemini CLI and of Qwen Code, which began as a copy of it: some of their own, else the HTTP status
modulo 256. Statuses from 512 on would be small codes, which mean something else."""


def failure_of(words: str, status: int | None) -> Outcome | None:
    """Return what kind of failure an agent's own words tell of; None where it is just an error."""
    words = words[:MOST_WORDS]
    if status is not None:
        said = failure_of_status(status)
        # Google answers a bad key with 400.
        return Outcome.AUTH if said is None and status == 400 and AUTH.search(words) else said
    if NETWORK.search(words) and not NO_NETWORK.search(words):
        return Outcome.NETWORK
    if AUTH.search(words):
        return Outcome.AUTH
    return Outcome.OVERLOAD if OVERLOAD.search(words) else None


def limit_of_words(words: str, status: int | None) -> UsageLimit | None:
    """Return the limit of the account that an agent's own words tell of, with its reset where they tell one."""
    words = words[:MOST_WORDS]
    if status not in MAY_BE_LIMITS or A_MOMENT.search(words):
        return None
    kind = next((kind for pattern, kind in LIMITS if pattern.search(words)), None)
    if kind is None and status == PAYMENT_REQUIRED:
        kind = "credit"
    if kind is None or (status in ONLY_OF_ACCOUNTS and kind not in ONLY_OF_ACCOUNTS[status]):
        return None
    told = told_in(words)
    if told is not None and is_short(told):
        if kind in OFTEN_A_MOMENT and not NO_QUOTA_AT_ALL.search(words):
            return None
        told = None if _GOOGLES_DELAY.search(words) else told
    return UsageLimit(kind, instant_of(told) if told else None, told, model_in(words))


def is_short(told: str) -> bool:
    """Tell whether a limit is over so soon that it is none: the service is just busy."""
    seconds = seconds_of(told)
    return seconds is not None and seconds <= LONGEST_MOMENT


def model_in(words: str) -> str | None:
    """Return the one model that a limit is for, as the agent names it; None for a limit of the whole account."""
    named = MODELS.search(words)
    return next((one_line(name, MAX_NAME) for name in named.groups() if name), None) if named is not None else None


def retry_after_of(words: str) -> float | None:
    """Return how many seconds a busy service asks to wait before the next try."""
    told = told_in(words[:MOST_WORDS])
    return seconds_of(told) if told is not None else None
