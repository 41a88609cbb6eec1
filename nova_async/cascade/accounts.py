"""Accounts: several logins of an agent, each with the variables that choose it, written as ``[accounts.NAME]``."""

from collections.abc import Callable, Mapping

from nova_async.cascade.agent_order import is_account_name
from nova_async.cascade.diagnostics import Findings, shown
from nova_async.cascade.settings import parse_env

__all__ = ["read_accounts"]


def read_accounts(value: object, line_of: Callable[..., int], findings: Findings) -> dict[str, Mapping[str, str]]:
    """Read ``accounts``: the variables of each, by its name; what is wrong goes to ``findings`` (E004, E104).

    ``value`` is what TOML gave for the key, ``line_of`` the line of ``accounts``, of one of them, or of a key in that.
    """
    if not isinstance(value, dict):
        findings.add(line_of(), "E104", "accounts: write each one as a table [accounts.NAME]")
        return {}
    accounts: dict[str, Mapping[str, str]] = {}
    for name, table in value.items():
        if not is_account_name(name):
            text = f"accounts: {shown(name)} is not a name for an account (use letters, digits, `.`, `_` and `-`)"
            findings.add(line_of(name), "E104", text)
            continue
        try:
            accounts[name] = _read_one(table)
        except ValueError as error:
            findings.add(line_of(name, "env"), "E104", f"accounts.{name}: {error}")
            accounts[name] = {}  # it is there, and its tasks need not be reported too
        for key in (table.keys() if isinstance(table, dict) else set()) - {"env"}:
            text = f"unknown key {shown(key)} of accounts.{name}{findings.guess(key, ['env'])}"
            findings.add(line_of(name, key), "E004", text)
    return accounts


def _read_one(table: object) -> Mapping[str, str]:
    env = parse_env(table.get("env", {})) if isinstance(table, dict) else {}
    if not env:
        raise ValueError('write the variables that choose its login, as env = {NAME = "value"}')
    return env
