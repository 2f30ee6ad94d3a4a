"""Writes what Glue and Athena hold, as JSON that Terraform reads: `python -m app.glue > infra/terraform/tables.json`.

Tables come from the schema; saved queries from the views, and from the examples of `docs/querying.md` with the views they name.
"""

import json
import re
from pathlib import Path
from typing import Any

from .core.schema import PROJECTED_YEARS, TABLES, Kind, Table
from .core.views import ATHENA, VIEWS

TYPES = {Kind.FLAG: "boolean", Kind.INTEGER: "bigint", Kind.REAL: "double", Kind.TIME: "timestamp"}
"""Glue's types; all other kinds are `string`."""

_PAGE = Path(__file__).parents[1] / "docs/querying.md"


def catalog(page: str) -> dict[str, Any]:
    """The tables, the years that their projection covers, and the saved queries, of which the page has examples."""
    views = {name: {"description": view.meaning, "sql": view.select(ATHENA)} for name, view in VIEWS.items()}
    return {
        "years": [PROJECTED_YEARS.start, PROJECTED_YEARS.stop - 1],
        "tables": {name: _table(table) for name, table in TABLES.items()},
        "queries": views | _examples(page),
    }


def _table(table: Table) -> dict[str, Any]:
    columns = [{"name": c.name, "type": TYPES.get(c.kind, "string"), "comment": c.meaning} for c in table.columns]
    return {"description": table.meaning, "columns": columns}


def _examples(page: str) -> dict[str, dict[str, str]]:
    """The examples that are for all systems or for Athena, named by their headings."""
    found: dict[str, dict[str, str]] = {}
    for heading, body in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL):
        if heading in ("Set up", "Views", "Iceberg"):  # what the last shows is for Iceberg's tables alone
            continue
        for systems, sql in re.findall(r"^```sql(.*?)\n(.*?);\n```$", body, re.MULTILINE | re.DOTALL):
            if not systems or "athena" in systems:
                found[heading.lower().replace(" ", "_")] = {"description": heading, "sql": _with_views(sql)}
    return found


def _with_views(sql: str) -> str:
    """A query that brings the views it names along: a reader of the tables may not be one who makes views."""
    named = [view for view in VIEWS.values() if re.search(rf"\b{view.name}\b", sql)]
    parts = ",\n".join(f"{view.name} AS (\n{view.select(ATHENA)}\n)" for view in named)
    return f"WITH {parts}\n{sql}" if named else sql


if __name__ == "__main__":
    print(json.dumps(catalog(_PAGE.read_text()), indent=1, ensure_ascii=False))  # noqa: T201
