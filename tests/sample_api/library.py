"""What Launch Library's endpoints answer: filtered, ordered pages in its frame, and how much of the budget is left."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlencode

from tests.sample_api.collection import Collection
from tests.sample_api.library_records import in_mode

PERIOD_S = 3600
_DEFAULT_LIMIT, _MOST = 10, 100
_ORDERINGS = ("id", "last_updated", "net")


class Budget:
    """Requests in a period; asking how many are left is free."""

    def __init__(self, limit: int, used: int = 0, next_s: int = 2400) -> None:
        self.limit, self.used, self.next_s = limit, used, next_s

    def throttle(self, authorization: str | None) -> bytes:
        """What `/api-throttle/` answers; as upstream, `ident` gives a token away."""
        left = self.limit - self.used
        told = {
            "your_request_limit": self.limit,
            "limit_frequency_secs": PERIOD_S,
            "current_use": self.used,
            "next_use_secs": 0 if left else self.next_s,
            "ident": (authorization or "127.0.0.1").removeprefix("Token "),
        }
        return json.dumps(told).encode()


def page(collection: Collection, path: str, query: str, *, stuck: bool = False) -> dict[str, Any]:
    """The page that was asked for. As upstream, parameters that are not known or make no sense are passed over."""
    given = {name: values[-1] for name, values in parse_qs(query).items()}
    found = [record for record in map(collection.at, range(collection.size)) if _is_wanted(record, given)]
    field = given.get("ordering", "net").lstrip("-")
    if field in _ORDERINGS:
        descending = given.get("ordering", "").startswith("-")
        found.sort(key=lambda record: str(record.get(field)) if isinstance(record, dict) else "", reverse=descending)
    limit = min(_MOST, _natural(given.get("limit"), _DEFAULT_LIMIT) or _DEFAULT_LIMIT)
    offset = 0 if stuck else _natural(given.get("offset"), 0)
    mode = given.get("mode", "normal")

    def link(there: int) -> str:
        return f"{path}?{urlencode({**given, 'limit': limit, 'offset': there})}"

    return {
        "count": len(found),
        "next": link(offset + limit) if offset + limit < len(found) else None,
        "previous": link(max(0, offset - limit)) if offset else None,
        "results": [in_mode(record, mode) for record in found[offset : offset + limit]],
    }


def _is_wanted(record: Any, given: Mapping[str, str]) -> bool:
    if not isinstance(record, dict):
        return True
    provider = record.get("launch_service_provider")
    if "lsp__id" in given and isinstance(provider, dict) and str(provider.get("id")) != given["lsp__id"]:
        return False
    since = given.get("last_updated__gte")
    return not since or datetime.fromisoformat(record["last_updated"]) >= datetime.fromisoformat(since)


def _natural(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() else default
