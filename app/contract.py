"""Writes what documents say of the tables from their definitions.

`python -m app.contract > docs/data-contract.md`; `python -m app.contract views` for `docs/querying.md`, between the marks.
"""

import sys

from . import sources
from .core.schema import SCHEMA_VERSION, TABLES, TRANSFORM_VERSION
from .core.views import ATHENA, DUCKDB, VIEWS
from .mysql.sql import LINEAGE

_HEAD = """# Data contract

Made from `app/core/schema.py` by `python -m app.contract`; a test holds the two together.

- Times are UTC with microseconds. `date_precision` says how much of `date_utc` is known: never take a placeholder for a time.
- `success` has three states; null is undecided or unknown, never a failure.
- Lists are kept as JSON arrays in text. Negative zero is zero. An empty text stays an empty text; only null is null.
- Ids are the source's own; another source has other ones. `launch_library_id` names the same launch in both, where known.
- A launch without a usable `date_utc` (years 1000 to 9999) or with a value that does not fit is set aside; its last rows stay.
- What makes a launch unusable is its id, its date, or a value of the wrong kind; a missing piece is null. A reference that
  names nothing (null, an empty object) is null. An object without its id keeps its other facts, and its id is null.
- An element of a list of which nothing is known keeps its place, and counts: a seat without a person is a row in `launch_crew`.
  In lists that are one text (ids, names) it is left out. Lists have at most 1,000 elements.
- `has_fairings` is false where the source sends null for them, and null where it sends nothing or an empty object.
- When an id comes twice in one answer, the last record counts.
- `row_hash` is made of the facts alone, by the rule in `app/core/checksum/`: the same facts have the same hash in both stores.
"""


def contract() -> str:
    """The page as Markdown."""
    lines = [_HEAD, f"Schema version {SCHEMA_VERSION}, transform version {TRANSFORM_VERSION}.", ""]
    for table in TABLES.values():
        lines += [f"## `{table.name}`", "", f"{table.meaning}. Key: {', '.join(f'`{k}`' for k in table.key)}.", ""]
        lines += ["| column | Parquet | MySQL | null | meaning |", "|---|---|---|---|---|"]
        for c in table.columns:
            mysql = c.kind.value.mysql.split(" ")[0]
            null = "never" if c.required else "possible"
            lines.append(f"| `{c.name}` | {c.kind.value.arrow} | {mysql} | {null} | {c.meaning} |")
        lines.append("")
    lineage = ", ".join(f"`{name}`" for name, _ in LINEAGE)
    lines += [
        f"MySQL alone has {lineage} (not in `launch_changes`): the run that last changed the row, and when. In no checksum.",
        "",
        "The meanings are comments of MySQL's columns, and `doc` in the metadata of each field of the Parquet files. A table",
        "without rows has one file without rows, in the year of the first launch.",
        "",
    ]
    for source, fields in ((name, sources.not_kept(name)) for name in sources.known()):
        lines += [f"## Source `{source}`: not kept as columns", "", "| field | why |", "|---|---|"]
        lines += [*(f"| `{name}` | {why} |" for name, why in fields.items()), ""]
    for source, tables in ((name, tables) for name in sources.known() if (tables := sources.never_filled(name))):
        lines += [f"## Source `{source}`: always null", "", "The API does not tell it, and nothing is guessed.", ""]
        lines += ["| table | columns |", "|---|---|"]
        lines += [f"| `{table}` | {', '.join(f'`{c}`' for c in columns) or 'none'} |" for table, columns in tables.items()]
        lines.append("")
    return "\n".join(lines)


def views() -> str:
    """The views as Markdown: what they mean, and how other systems than MySQL get them."""
    lines = []
    for view in VIEWS.values():
        lines += [f"### `{view.name}`", "", f"{view.meaning}.", "", "| column | meaning |", "|---|---|"]
        lines += [f"| `{name}` | {meaning} |" for name, meaning in view.columns.items()]
        selects = {"duckdb": view.select(DUCKDB), "athena": view.select(ATHENA)}
        is_one = selects["duckdb"] == selects["athena"]
        blocks = (
            {"duckdb athena": selects["duckdb"]} if is_one else {"duckdb": selects["duckdb"], "athena-only": selects["athena"]}
        )
        for systems, select in blocks.items():
            lines += ["", f"```sql {systems}", f"CREATE VIEW {view.name} AS", f"{select};", "```"]
        lines.append("")
    return "\n".join(lines)


PAGES = {"contract": contract, "views": views}

if __name__ == "__main__":
    print(PAGES[sys.argv[1] if sys.argv[1:] else "contract"](), end="")  # noqa: T201
