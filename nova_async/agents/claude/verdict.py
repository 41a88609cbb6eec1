"""How a run of Claude Code ended, in its own words, and whether the account is used up.

Version 2.1.197 (docs/agents.md). Only lines that the program itself words are read here, never what a model or a tool
said: files may talk about limits, too (G43).
"""

from dataclasses import replace
from typing import Any

import msgspec

from nova_async._core.text import one_line
from nova_async.agents.event_reader import MAX_ERROR, http_status
from nova_async.agents.failures import NO_NETWORK, limit_of_words
from nova_async.agents.reader import Gauge, UsageLimit
from nova_async.agents.resets import utc_of
from nova_async.words import Outcome

__all__ = [
    "NO_SESSION",
    "REJECTIONS",
    "RateLimitLine",
    "ResultLine",
    "error_of",
    "failure_in",
    "for_all_models",
    "gauges_told",
    "knows_no_session",
    "limit_of",
    "limit_told",
    "words_of_provider",
]

API_ERROR = "API Error"  # what the API refused for a moment; a used-up account is worded "You've hit your … limit"
WEEKLY = "weekly limit"
# The kinds that are one model's; 2.1.332 calls the last one "Fable limit".
MODELS = {"seven_day_opus": "opus", "seven_day_sonnet": "sonnet", "seven_day_overage_included": "fable"}
# What it calls an account that is not let in; the last three since 2.1.332.
REJECTIONS = frozenset(
    {
        *("authentication_failed", "oauth_org_not_allowed"),
        *("account_on_hold", "verification_required", "cloud_credential_error"),
    }
)
FAILURES = {
    **dict.fromkeys(REJECTIONS, Outcome.AUTH),
    "overloaded": Outcome.OVERLOAD,
    "rate_limit": Outcome.OVERLOAD,
}
MAX_KIND = 60  # characters of a limit's name
NO_SESSION = "No conversation found "  # with session ID …, or to continue
INTERNAL = "[ede_diagnostic]"  # a note of Claude to its makers, printed as an error after an interrupt


class ResultLine(msgspec.Struct, tag="result"):
    """``result``: the end of a turn."""

    subtype: Any = None
    session_id: Any = None
    is_error: Any = None
    api_error_status: Any = None
    num_turns: Any = None
    result: Any = None
    errors: Any = None
    terminal_reason: Any = None
    total_cost_usd: Any = None
    usage: Any = None
    modelUsage: Any = None
    model_usage_since_last_result: Any = None
    result_index: Any = None
    permission_denials: Any = None


class RateLimitLine(msgspec.Struct, tag="rate_limit_event"):
    """``rate_limit_event``: how full the account is; printed with a subscription login only."""

    rate_limit_info: dict[str, Any] | None = None


def error_of(ended: ResultLine) -> str:
    """Say in one sentence why a run failed."""
    if isinstance(ended.result, str) and ended.result.strip():
        return one_line(ended.result, MAX_ERROR)
    reason = ended.terminal_reason if isinstance(ended.terminal_reason, str) else ""
    if reason.startswith("aborted"):
        return one_line(f"it was interrupted ({reason})", MAX_ERROR)
    errors = ended.errors if isinstance(ended.errors, list) else []
    told = [text for text in errors if isinstance(text, str) and not text.startswith(INTERNAL)]
    return one_line("; ".join(told) or str(ended.subtype or "it failed without an error message"), MAX_ERROR)


def knows_no_session(ended: ResultLine) -> bool:
    """Tell whether it ended at once because it does not know the session that it was to resume."""
    errors = ended.errors if isinstance(ended.errors, list) else []
    told = any(isinstance(text, str) and text.startswith(NO_SESSION) for text in errors)
    return told and ended.subtype == "error_during_execution" and not ended.num_turns


def failure_in(ended: ResultLine, kind: Any, told: Outcome | None) -> Outcome | None:
    """Return what kind of failure ended a run: by its end, by the kind that Claude names, or as its words tell."""
    if ended.subtype == "error_max_budget_usd":
        return Outcome.BUDGET
    if http_status(ended.api_error_status) is not None or not isinstance(kind, str):
        return told
    if kind == "server_error":  # without a status: the stream broke, or nobody answered
        return told or (Outcome.NETWORK if not NO_NETWORK.search(error_of(ended)) else None)
    return FAILURES.get(kind, told)


def limit_of(ended: ResultLine, kind: Any = None) -> UsageLimit | None:
    """Return the limit that a failed run ran into at once, without a retry and without an event before it."""
    if kind == "billing_error":
        return UsageLimit("credit")
    text = ended.result if isinstance(ended.result, str) else ""
    if http_status(ended.api_error_status) != 429 or text.startswith(API_ERROR):
        return None
    told = limit_of_words(text, 429) or UsageLimit("unknown")
    return replace(told, kind=f"seven_day_{told.model.lower()}") if told.model else told


def words_of_provider(ended: ResultLine) -> bool:
    """Tell whether a failure is told in the words of the API, such as those of another provider's, and not Claude's."""
    return isinstance(ended.result, str) and ended.result.startswith(API_ERROR)


def for_all_models(limit: UsageLimit, words: str) -> UsageLimit:
    """Return the limit that an event has announced as its words have it: some plans have one week for all models."""
    return replace(limit, model=None) if WEEKLY in words else limit


def limit_told(info: dict[str, Any]) -> UsageLimit | None:
    """Return the limit that a rate limit event announces; None where requests are still served."""
    if info.get("status") != "rejected" or info.get("isUsingOverage") is True:
        return None
    kind = info.get("rateLimitType")
    named = one_line(kind, MAX_KIND) if isinstance(kind, str) and kind else "unknown"
    return UsageLimit(named, utc_of(info.get("resetsAt")), model=MODELS.get(named))


def gauges_told(info: dict[str, Any]) -> dict[str, Gauge | None]:
    """Return how full the limits are that a rate limit event tells of, by kind; None for one that holds nobody up.

    Versions up to 2.1.197 tell of the one limit that is nearest, newer ones of every window that they know.
    """
    windows = info.get("unifiedWindows")
    told = {
        kind: _gauge(kind, window)
        for kind, window in (windows.items() if isinstance(windows, dict) else ())
        if isinstance(window, dict) and len(kind) <= MAX_KIND
    }
    kind = info.get("rateLimitType")
    if isinstance(kind, str) and 0 < len(kind) <= MAX_KIND:
        told[kind] = _gauge(kind, info) or told.get(kind)
        if info.get("isUsingOverage") is True:  # it goes on, and is paid for on top
            told[kind] = None
    return told


def _gauge(kind: str, told: dict[str, Any]) -> Gauge | None:
    said = 1.0 if told.get("status") == "rejected" else told.get("utilization")
    used = told.get("surpassedThreshold") if said is None else said
    if isinstance(used, bool) or not isinstance(used, int | float):
        return None
    return Gauge(kind, min(max(float(used), 0.0), 1.0), utc_of(told.get("resetsAt")))
