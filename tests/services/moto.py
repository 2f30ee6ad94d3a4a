"""moto's server, without what it does for every request to no end: most of its time, and of its memory, goes into that."""

import logging
from typing import Any

from moto import backends
from moto.s3.models import FakeKey
from moto.server import main


def _be_quick() -> None:
    modules = tuple(backends.list_of_moto_modules())  # it looks into its own folder
    backends.list_of_moto_modules = lambda: modules
    FakeKey.__deepcopy__ = _as_listed  # type: ignore[attr-defined]
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request


def _as_listed(key: Any, _: Any) -> Any:
    """To list versions moto copies all objects of a bucket, bytes and all, and keeps the copies for ever."""
    key.etag  # noqa: B018  # computed from the bytes, and kept by the key
    copy = object.__new__(FakeKey)
    copy.__dict__.update(key.__dict__, _value_buffer=None, disposed=True)
    return copy


if __name__ == "__main__":
    _be_quick()
    main()
