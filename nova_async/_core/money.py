"""Amounts of money: in whole nano-dollars, and as text."""

__all__ = ["dollars", "plain_amount", "without_dust"]


def dollars(usd: float) -> str:
    """Write an amount in US dollars for people: ``$1,234.50``, and one below a cent with two digits, ``$0.0042``."""
    return f"${plain_amount(float(f'{usd:.2g}'))}" if 0 < usd < 0.01 else f"${usd:,.2f}"


def plain_amount(amount: float) -> str:
    """Write an amount in digits that every program takes, without an exponent."""
    return f"{amount:.10f}".rstrip("0").rstrip(".")


def without_dust(usd: float) -> float:
    """Return an amount in whole nano-dollars: 0.1 and 0.2 are 0.3, not 0.30000000000000004."""
    return round(usd, 9)
