"""How shares, times, spans of time, runs and long texts read to a person."""

from datetime import datetime, timedelta

from markupsafe import Markup

from ..core.runs import PastRun

_NONE, _MINUS = "\u2013", "\u2212"
_SHOWN, _LONG, _LONG_WORD = 160, 60, 20  # characters
_COMMANDS = ("verify", "replay")  # with `run`, all that are recorded
_SHORT = 10  # of a unit: below it a tenth matters


def percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else _NONE


def counted(number: int, one: str, many: str) -> str:
    """A number of things."""
    return f"{number:,} {one if number == 1 else many}"


def minute(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M}"


def named(run: PastRun) -> str:
    """A run by its number, its command and its id, as far as they are known."""
    also = f"{run.command}, {run.run_id}" if run.command in _COMMANDS else run.run_id
    return f"Run {run.number} ({also})" if run.number else f"Run {also}"


def short(text: str | None) -> str:
    """A text's beginning."""
    return _NONE if text is None else text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def is_long(text: str | Markup) -> bool:
    """Whether a text takes room: many words, or one so long that it must be broken."""
    words = text.striptags().split() if isinstance(text, Markup) else text.split()
    return any(len(word) > _LONG_WORD for word in words) or sum(map(len, words)) > _LONG


def age(since: timedelta | None) -> str:
    """Whole days."""
    return _NONE if since is None else "today" if since.days < 1 else counted(since.days, "day", "days")


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
