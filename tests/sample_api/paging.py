"""What `/query` answers: sorted, populated pages with the fields of mongoose-paginate."""

from collections.abc import Iterable, Mapping
from typing import Any

from tests.sample_api.collection import Collection
from tests.sample_api.records import encode

# What `populate` may name: where the ids are, and the lookup that they belong to. Other names change nothing.
_REFERENCES = {
    "rocket": ("rocket", "rockets"),
    "launchpad": ("launchpad", "launchpads"),
    "payloads": ("payloads", "payloads"),
    "crew": ("crew.crew", "crew"),
    "crew.crew": ("crew.crew", "crew"),
    "cores": ("cores.core", "cores"),
    "cores.core": ("cores.core", "cores"),
    "cores.landpad": ("cores.landpad", "landpads"),
}
_OPTIONS = {"page", "limit", "offset", "sort", "pagination", "populate"}
_DEFAULT_LIMIT = 10


def paginate(collection: Collection, request: Any, lookups: Mapping[str, Collection]) -> tuple[bytes, dict[str, Any]]:
    """The records of the page that `request` asks for, as JSON, and what is told beside them.

    Raises ValueError when it asks for what the sample API can't do.
    """
    if not isinstance(request, dict) or request.get("query"):
        raise ValueError("the sample API takes an object, and knows no filters")
    options = request.get("options", {})
    if unknown := set(options) - _OPTIONS:
        raise ValueError(f"the sample API does not know the options {sorted(unknown)}")
    answer, wanted = _frame(collection.size, options)
    order = collection.order(_sort_fields(options.get("sort")))
    names = list(_names(options.get("populate")))
    if names:
        docs = [encode(_populate(collection.at(order[place]), names, lookups)).encode() for place in wanted]
    else:
        docs = [collection.encoded(order[place]) for place in wanted]
    return b"[%b]" % b",".join(docs), answer


def _frame(total: int, options: Mapping[str, Any]) -> tuple[dict[str, Any], range]:
    """The answer without its docs, and their places; as upstream, `offset` is told unless a page was asked for."""
    if options.get("pagination") is False:
        return _answer(total, total, 1, 1, {"offset": 0}), range(total)
    limit = max(0, int(options.get("limit", _DEFAULT_LIMIT)))
    if limit == 0:
        return _answer(total, 0, 1, 1, {}), range(0)
    by_page = "page" in options and "offset" not in options
    page = max(1, int(options.get("page", 1)))
    offset = (page - 1) * limit if by_page else int(options.get("offset", 0))
    page = offset // limit + 1
    answer = _answer(total, limit, max(1, -(-total // limit)), page, {} if by_page else {"offset": offset})
    return answer, range(offset, min(offset + limit, total))


def _answer(total: int, limit: int, pages: int, page: int, offset: dict[str, int]) -> dict[str, Any]:
    return {
        "totalDocs": total,
        **offset,
        "limit": limit,
        "totalPages": pages,
        "page": page,
        "pagingCounter": (page - 1) * limit + 1,
        "hasPrevPage": page > 1,
        "hasNextPage": page < pages,
        "prevPage": page - 1 if page > 1 else None,
        "nextPage": page + 1 if page < pages else None,
    }


def _sort_fields(sort: Any) -> tuple[tuple[str, bool], ...]:
    """Names, each with whether it descends, of either form: `{"date_utc": "desc"}` or `"-date_utc name"`."""
    if isinstance(sort, str):
        sort = {name.lstrip("-"): -1 if name.startswith("-") else 1 for name in sort.split()}
    return tuple((name, way in {-1, "-1", "desc", "descending"}) for name, way in (sort or {}).items())


def _names(populate: Any) -> Iterable[str]:
    """The names in any of populate's forms: `"a b"`, `{"path": "a"}`, or a list of these."""
    if isinstance(populate, str):
        yield from populate.split()
    elif isinstance(populate, dict):
        yield from _names(populate.get("path"))
    else:
        for item in populate or ():
            yield from _names(item)


def _populate(record: Any, names: Iterable[str], lookups: Mapping[str, Collection]) -> Any:
    for name in names:
        if name in _REFERENCES:
            path, lookup = _REFERENCES[name]
            record = _replace(record, path.split("."), lookups[lookup].by_id)
    return record


def _replace(value: Any, path: list[str], found: Mapping[str, Any]) -> Any:
    """`value` with the ids at `path` replaced; as upstream, an unknown id is null, or leaves its list."""
    if isinstance(value, dict):
        return value | {path[0]: _replace(value[path[0]], path[1:], found)} if path and path[0] in value else value
    if isinstance(value, list):
        return [item for item in (_replace(item, path, found) for item in value) if item is not None]
    return found.get(value)
