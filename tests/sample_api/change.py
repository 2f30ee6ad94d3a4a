"""`python -m tests.sample_api.change URL LAUNCH FIELD=VALUE…`: have a running sample API serve a launch otherwise."""

import json
import sys
import urllib.error
import urllib.request
from typing import Any

from tests.sample_api.server import CHANGE


def change(url: str, launch: str, assignments: list[str]) -> str:
    """Change fields of the one launch of this name or id; its id. Raises ValueError where that can't be done."""
    body = json.dumps({"launch": launch, "fields": dict(map(_field, assignments))}).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{url}/{CHANGE}", body), timeout=10) as answer:  # noqa: S310 - ours
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        raise ValueError(error.read().decode()) from None


def _field(assignment: str) -> tuple[str, Any]:
    """A name and its value: JSON where it is any, otherwise the text itself."""
    name, is_set, text = assignment.partition("=")
    if not is_set:
        raise ValueError(f"{assignment!r} is not FIELD=VALUE")
    try:
        return name, json.loads(text)
    except ValueError:
        return name, text


if __name__ == "__main__":
    try:
        print(change(sys.argv[1], sys.argv[2], sys.argv[3:]))
    except ValueError as fault:
        sys.exit(str(fault))
