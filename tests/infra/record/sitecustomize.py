"""Writes every AWS call of any Python program to the file that AWS_CALLS names, one JSON line a call.

Python imports a module of this name by itself: put this folder on PYTHONPATH (in our image: /srv before it, and both mounted).
"""

import json
import os
from typing import Any

if os.environ.get("AWS_CALLS"):
    import botocore.session

    # What decides about rights; never a body.
    _KEPT = ("Bucket", "Key", "Prefix", "VersionId", "logGroupName", "logStreamName")
    _create = botocore.session.Session.create_client

    def _note(params: dict[str, Any], model: Any, **_: Any) -> None:
        line = {
            "service": model.service_model.service_name,
            "operation": model.name,
            "parameters": {name: params[name] for name in _KEPT if name in params},
        }
        with open(os.environ["AWS_CALLS"], "a", encoding="utf-8") as file:  # noqa: PTH123
            file.write(json.dumps(line) + "\n")

    def _create_client(self: Any, *arguments: Any, **options: Any) -> Any:
        client = _create(self, *arguments, **options)
        client.meta.events.register("before-parameter-build.*.*", _note)
        return client

    botocore.session.Session.create_client = _create_client  # type: ignore[method-assign]
