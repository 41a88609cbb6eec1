"""Amounts of money, as text."""

__all__ = ["dollars", "plain_amount"]


def dollars(usd: float) -> str:
    """Write an amount in US dollars for people: ``$1,234.50``, and one below a cent with two digits, ``$0.0042``."""
    return f"${plain_amount(float(f'{usd:.2g}'))}" if 0 < usd < 0.01 else f"${usd:,.2f}"


def plain_amount(amount: float) -> str:
    """Write an amount in digits that every program takes, without an exponent."""
    return f"{amount:.10f}".rstrip("0").rstrip(".")
