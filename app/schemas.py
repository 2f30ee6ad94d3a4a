"""Write docs/schemas: a JSON Schema of what each command prints with `--json`; `python -m app.schemas docs/schemas` writes it."""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from .cli import cli
from .core.health import Check
from .core.results import WrittenReport
from .core.runs import RecordedRun, RunSummary

_OWN_RESULTS: dict[str, Any] = {"runs": list[RecordedRun], "doctor": list[Check], "report": WrittenReport}
"""What commands print that have a result of their own; a failure before there is one is a summary, as of the other commands."""


def schemas() -> dict[str, dict[str, Any]]:
    """The schema of each command's result, by the command's name."""
    return {command: _schema(command) for command in cli.commands}


def _schema(command: str) -> dict[str, Any]:
    summary = _form_of(RunSummary)
    definitions = summary.pop("$defs")
    summary["properties"] |= {"command": {"const": command}, "exit_code": {"type": "integer"}}
    summary["required"].append("exit_code")
    head = {"$schema": GenerateJsonSchema.schema_dialect, "title": f"spacex-pipeline {command} --json"}
    if command not in _OWN_RESULTS:
        return head | summary | {"title": head["title"], "$defs": definitions}
    own = _form_of(_OWN_RESULTS[command])
    definitions |= own.pop("$defs", {})
    return head | {"anyOf": [own, summary], "$defs": definitions}


def _form_of(kind: Any) -> dict[str, Any]:
    return TypeAdapter(kind).json_schema(mode="serialization", schema_generator=_AllWritten)


class _AllWritten(GenerateJsonSchema):
    """Fields that have a default are written all the same, and names say what titles would repeat."""

    def field_is_required(self, field: Any, total: bool) -> bool:
        return field["type"] == "dataclass-field" or super().field_is_required(field, total)

    def default_schema(self, schema: Any) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  # of no field
        return False


def main() -> None:
    """Write every schema into the folder that is named."""
    folder = Path(sys.argv[1])
    for command, schema in schemas().items():
        (folder / f"{command}.json").write_text(json.dumps(schema, indent=2) + "\n")


if __name__ == "__main__":
    main()
