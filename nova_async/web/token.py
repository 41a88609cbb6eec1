"""The token that whoever asks must show: made for each start, and never part of an address that a server sees."""

import hmac
import os
import secrets
from collections.abc import Mapping

from nova_async.errors import NovaError

__all__ = ["TOKEN_VARIABLE", "TokenError", "is_token", "token_for"]

TOKEN_VARIABLE = "NOVA_SERVE_TOKEN"
TOKEN_BYTES = 32  # 256 bits: nobody guesses it, so wrong guesses need not be slowed down
SHORTEST = 32  # characters of a token from outside


class TokenError(NovaError):
    """The token that the environment names is of no use."""


def token_for(environment: Mapping[str, str] = os.environ) -> str:
    """Return a new token, or the one that the environment names, with which an address stays the same after a restart.

    Raises ``TokenError`` if that one is short, or could not stand in an address.
    """
    told = environment.get(TOKEN_VARIABLE, "")
    if not told:
        return secrets.token_urlsafe(TOKEN_BYTES)
    if len(told) < SHORTEST or not all(char.isascii() and (char.isalnum() or char in "-_") for char in told):
        raise TokenError(f"{TOKEN_VARIABLE} must be at least {SHORTEST} letters, digits, - or _")
    return told


def is_token(token: str, said: str) -> bool:
    """Tell whether what was said is the token; it takes the same time whatever was said."""
    return hmac.compare_digest(token.encode(), said.encode("utf-8", "surrogatepass"))
