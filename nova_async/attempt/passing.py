"""Which variables of a machine the programs of a task see, where the plan names those that they may."""

from collections.abc import Iterable, Mapping

from nova_async.redaction.rules import matching

__all__ = ["ALWAYS_PASSED", "passed"]

# What hardly any program works without, and nothing that is a secret by itself (but a proxy's password, without which
# no agent would reach its service). No login: an agent's key is passed only if the plan names it.
ALWAYS_PASSED = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR", "XDG_*"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    "NOVA_WORKER",  # by which a process family is found
)


def passed(here: Mapping[str, str], names: Iterable[str] | None, own: Iterable[str] = ()) -> dict[str, str]:
    """Return those of the variables ``here`` that are passed on: all where ``names`` is None.

    ``*`` in a name stands for any number of characters. ``own`` are names that the agent needs for itself.
    """
    if names is None:
        return dict(here)
    found = {*own}.intersection(here)
    for name in {*names, *ALWAYS_PASSED}:
        found.update(matching(name, here) if "*" in name else {name}.intersection(here))
    return {name: value for name, value in here.items() if name in found}
