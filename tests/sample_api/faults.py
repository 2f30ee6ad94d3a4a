"""How an endpoint misbehaves."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Bodies that come with status 200 instead of the records.
BODIES: Mapping[str, bytes] = {
    "html": b"<!DOCTYPE html><html><head><title>Maintenance</title></head><body>Back soon.</body></html>",
    "empty": b"",
    "object": b'{"error": "Internal Server Error"}',
    "empty_list": b"[]",
    "not_utf8": '[{"id": "5eb87cd9ffd86e000604b32a", "name": "Café"}]'.encode("latin-1"),
}


@dataclass(frozen=True)
class Fault:
    """What is wrong with the answers; several fields may be set together, as far as that makes sense."""

    hang_s: float = 0.0  # silence before the answer
    drip_s: float = 0.0  # pause after each `drip_bytes` of the body
    drip_bytes: int = 1
    chunked: bool = False  # chunked transfer, which is no fault, instead of a Content-Length
    gzip: bool = False  # compressed, which is no fault, where the client takes it
    cut: bool = False  # close after half of the body; with `chunked`, without the last chunk
    reset: bool = False  # reset the connection instead of answering
    status: int | None = None  # this status without the records
    retry_after: str | int | None = None  # goes with `status`: seconds, or a date as HTTP writes it
    body: str | bytes | None = None  # a name in BODIES, or bytes, instead of the records
    stuck: bool = False  # queries and pages: always page 1
    totals: Sequence[int] = ()  # queries and pages: `totalDocs` or `count`, in turn and over again
    pages: Sequence[bytes | Mapping[str, Any]] = ()  # queries and pages: the whole answers, in turn and over again
    first: int | None = None  # wrong for so many requests, then right; None: for ever
    after: int = 0  # so many requests before that are right

    def __post_init__(self) -> None:
        """Refuse a body that has no name."""
        if isinstance(self.body, str) and self.body not in BODIES:
            raise ValueError(f"body must be one of {', '.join(BODIES)}")

    def turn(self, earlier: int) -> int | None:
        """Which of its turns it is after so many earlier requests, from 0; None when the answer is right."""
        turn = earlier - self.after
        return turn if turn >= 0 and (self.first is None or turn < self.first) else None


_VALUES: Mapping[str, Callable[[str], Any]] = {
    "hang_s": float,
    "drip_s": float,
    "drip_bytes": int,
    "status": int,
    "retry_after": str,
    "body": str,
    "totals": lambda text: tuple(map(int, text.split("+"))),
    "first": int,
    "after": int,
}
_FLAGS = ("chunked", "gzip", "cut", "reset", "stuck")


def parse_fault(spec: str) -> tuple[str, Fault]:
    """The endpoint and fault in `launches:status=503,retry_after=2,first=2`. Raises ValueError when there is none."""
    endpoint, _, rest = spec.partition(":")
    fields: dict[str, Any] = {}
    for part in re.split(r",(?! )", rest):  # the comma in an HTTP date has a space behind it
        name, is_set, text = part.partition("=")
        if not (name in _VALUES if is_set else name in _FLAGS):
            raise ValueError(f"{part!r} is none of {', '.join([*_FLAGS, *(f'{name}=' for name in _VALUES)])}")
        fields[name] = _VALUES[name](text) if is_set else True
    return endpoint, Fault(**fields)
