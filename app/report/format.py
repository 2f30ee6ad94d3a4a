"""How shares, times and spans of time read to a person."""

from datetime import datetime, timedelta

_NONE, _MINUS = "\u2013", "\u2212"
_SHORT = 10  # of a unit: below it a tenth matters


def percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else _NONE


def minute(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M}"


def age(since: timedelta | None) -> str:
    """Whole days."""
    return _NONE if since is None else "today" if since.days < 1 else f"{since.days:,} {'day' if since.days == 1 else 'days'}"


def span(by: timedelta, *, sign: bool = False) -> str:
    """A time span by its greatest unit."""
    seconds = abs(by.total_seconds())
    mark = (_MINUS if by < timedelta(0) else "+") if sign else ""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{mark}{seconds / size:,.{int(seconds < _SHORT * size)}f} {unit}"
    return f"{mark}{seconds:.0f} s"


def date(instant: datetime, precision: str | None) -> str:
    """As much of a launch date as is known."""
    match precision:
        case "year":
            return f"{instant:%Y}"
        case "half":
            return f"{instant:%Y} H{1 + (instant.month - 1) // 6}"
        case "quarter":
            return f"{instant:%Y} Q{1 + (instant.month - 1) // 3}"
        case "month":
            return f"{instant:%Y-%m}"
        case "week" | "day":
            return f"{instant:%Y-%m-%d}"
        case _:
            return f"{instant:%Y-%m-%d %H:%M}"
