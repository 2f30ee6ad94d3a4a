"""Where a redirect may lead: to the host that was asked, and never to a less protected connection."""

from urllib.parse import SplitResult, urljoin, urlsplit

from ..core.validate import shortened
from ..errors import SourceError

MAX_REDIRECTS = 5
_PORTS = {"http": 80, "https": 443}
_MAX_CHARS = 2000


def target(url: str, location: str | None) -> str:
    """The address that an answer of `url` points to. Raises SourceError with both addresses when it may not be followed.

    It may be on the same host and port, or on the same host over https where http was asked. Any other host is refused, whatever
    its address: the settings do not name it, and it would receive what is meant for the host that they do.
    """
    if not location:
        raise SourceError(f"{url}: redirected, but the answer does not say where", hint="check SOURCE_URL")
    # Header bytes are Latin-1 to the client; browsers read them as UTF-8.
    wanted = location.encode("latin-1", "replace").decode("utf-8", "replace")
    try:
        goal = urljoin(url, wanted)
        here, there = _place(urlsplit(url)), _place(urlsplit(goal))
        allowed = len(goal) <= _MAX_CHARS and (here == there or _is_same_by_https(here, there))
    except ValueError:  # no address at all
        allowed = False
    if not allowed:
        message = f"{url}: redirected to {shortened(wanted)}, which is not followed"
        raise SourceError(message, hint="only the same host is, never from https to http; if it is right, set SOURCE_URL to it")
    return goal


_Place = tuple[str, str, int | None, str | None]


def _place(parts: SplitResult) -> _Place:
    """Scheme, host, port, and credentials, of which there are none in an address that was asked for."""
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").rstrip("."), parts.port or _PORTS.get(scheme), parts.username or parts.password


def _is_same_by_https(here: _Place, there: _Place) -> bool:
    upgraded = (here[0], there[0]) == ("http", "https")
    return upgraded and here[1] == there[1] and there[2] in (here[2], _PORTS["https"]) and there[3] is None
