"""What kind of failure an agent's own words tell of, where they tell more than that it failed.

Only what the program itself words is looked at: its error events and its standard error, never what a model or a tool
said (G43). An HTTP status says more than any words, so words decide where there is none, or where it leaves open what
it means. The wordings are those of the five programs, recorded with a model server that failed in each of these ways.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from nova_async._core.text import LOOK_AT
from nova_async.agents.reader import UsageLimit
from nova_async.words import Outcome

__all__ = ["EXIT_MEANINGS", "MOST_WORDS", "NO_NETWORK", "failure_of", "failure_of_status", "limit_of_words"]

MOST_WORDS = 4 * LOOK_AT  # characters of an error that are looked at; the reason stands at its beginning
REFUSED = frozenset({401, 403, 407})
OVERLOADED = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529, 530})
PAYMENT_REQUIRED = 402
MAY_BE_LIMITS = frozenset({None, 400, 402, 403, 429})  # 400: Anthropic, no credit left; 403: Alibaba, free tier used up


def _any_of(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


NETWORK = _any_of(
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
NO_NETWORK = _any_of(r"certificate|\bSSL\b|\bTLS\b|self[ -]signed")  # no retry cures these
AUTH = _any_of(
    r"not logged in|/login\b|log ?in (?:again|required)|sign in again|login required|not authenticated",
    r"(?:invalid|incorrect|missing|no|wrong|expired) (?:x-)?(?:\w+ )?api[ _-]?key",
    r"api[ _-]?key (?:not|is|was|has|provided|expired|invalid|missing|required)|_api_key\b.{0,40}\bnot (?:set|found)",
    r"missing environment variable|must specify the .{1,80} environment variable|please set an auth method",
    r"no auth(?:entication)? (?:type|method)|(?:oauth|access|refresh|session) token (?:could|has|was|is) ",
    r"authentication[ _](?:failed|error|required)|failed to authenticate|unauthori[sz]ed|unauthenticated",
    r"permission_denied|(?:credentials?|token) (?:are |is |was |has |have )?(?:not found|missing|expired|revoked)",
)
OVERLOAD = _any_of(
    r"overload|RESOURCE_EXHAUSTED|too many requests|rate[ _-]?limit|at capacity|high (?:demand|load)",
    r"(?:service|temporarily|currently|model is) unavailable|\bUNAVAILABLE\b|internal server error|server_error",
    r"bad gateway|gateway time-?out|please wait and try again later",
)
LIMITS = (
    (_any_of(r"5-hour limit|session limit"), "five_hour"),
    (_any_of(r"weekly (?:usage )?(?:limit|quota)"), "seven_day"),
    (_any_of(r"daily (?:usage )?(?:limit|quota)|PerDay|requests per day"), "daily"),
    (_any_of(r"exhausted your capacity"), "capacity"),
    (_any_of(r"monthly (?:usage |spend(?:ing)? )?(?:limit|quota)"), "monthly"),
    (_any_of(r"credit balance|insufficient[ _](?:balance|credits?|funds)|out of credits|payment required"), "credit"),
    (_any_of(r"(?:hit|reached) your (?:[\w-]+ ){0,3}limits?\b|usage[ _]limit|spending limit"), "usage"),
    (_any_of(r"insufficient_quota|exceeded your current quota|billing hard limit|quota exceeded|quota_exceeded",
             r"free tier .{0,60}(?:exhausted|exceeded|discontinued)"), "quota"),
    (_any_of(r"with your ChatGPT plan, upgrade"), "plan"),
)  # fmt: skip
A_MOMENT = _any_of(r"per[ -]?(?:minute|second)|/ ?min\b|\brpm\b|\btpm\b")  # over before anybody has looked
# "regain access on 2026-12-01 at 00:00 UTC", "limit reached|1749924000", "try again at Nov 28th, 2026 8:59 PM."
_IN_UTC = re.compile(r"(\d{4}-\d\d-\d\d)(?: at |T| )(\d\d:\d\d) ?(?:UTC|Z)")
_EPOCH = re.compile(r"limit reached\|(\d{10})\b")
_TOLD = re.compile(r"(?:try again (?:at|in)|\bresets?(?: at| in| after)?) ([^.;|]{1,60})[.;|]?\s*$", re.IGNORECASE)


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
    if kind is None:
        return None
    told = _TOLD.search(words)
    return UsageLimit(kind, _moment(words), told[1].strip() if told else None)


def _moment(words: str) -> datetime | None:
    try:
        if (in_utc := _IN_UTC.search(words)) is not None:
            return datetime.fromisoformat(f"{in_utc[1]}T{in_utc[2]}+00:00")
        if (epoch := _EPOCH.search(words)) is not None:
            return datetime.fromtimestamp(int(epoch[1]), UTC)
    except ValueError:  # no such day
        pass
    return None
