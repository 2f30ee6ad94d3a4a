"""Writes every AWS call of the program to the file that AWS_CALLS names, one JSON line a call.

Python imports a module of this name by itself where its folder is on PYTHONPATH. With AWS_LOSE_ANSWERS set, the first answer to
each PUT counts as lost: the client tries again, and finds that it had been there before.
"""

import json
import os
from typing import Any

if os.environ.get("AWS_CALLS"):
    import botocore.session

    # What decides about rights; never a body.
    _KEPT = (
        "Bucket",
        "Key",
        "Prefix",
        "VersionId",
        "CopySource",
        "DatabaseName",
        "Name",
        "TableInput",
        "logGroupName",
        "logStreamName",
    )
    _create = botocore.session.Session.create_client

    def _note(params: dict[str, Any], model: Any, **_: Any) -> None:
        line = {
            "service": model.service_model.service_name,
            "operation": model.name,
            "parameters": {name: params[name] for name in _KEPT if name in params},
        }
        with open(os.environ["AWS_CALLS"], "a", encoding="utf-8") as file:  # noqa: PTH123
            file.write(json.dumps(line) + "\n")

    def _lose(attempts: int, **_: Any) -> int | None:
        return 0 if attempts == 1 else None  # seconds to wait before the next attempt; None: no opinion

    def _create_client(self: Any, *arguments: Any, **options: Any) -> Any:
        client = _create(self, *arguments, **options)
        client.meta.events.register("before-parameter-build.*.*", _note)
        if os.environ.get("AWS_LOSE_ANSWERS"):
            client.meta.events.register_first("needs-retry.s3.PutObject", _lose)
        return client

    botocore.session.Session.create_client = _create_client  # type: ignore[method-assign]
