"""What Terraform tells Glue and Athena is what the schema, the views and the page say."""

import json
from pathlib import Path

import pyarrow as pa

from app.core.schema import PROJECTED_YEARS, TABLES
from app.core.views import VIEWS
from app.glue import catalog

ROOT = Path(__file__).parents[2]
ARROW = {"string": pa.string(), "boolean": pa.bool_(), "bigint": pa.int64(), "double": pa.float64()}
ARROW["timestamp"] = pa.timestamp("us", tz="UTC")
MADE = json.loads((ROOT / "infra/terraform/tables.json").read_text())
MOST_COMMENT_CHARS = 255  # of a column, in Glue


def test_the_file_is_what_the_program_writes() -> None:
    """`python -m app.glue > infra/terraform/tables.json` mends it."""
    assert catalog((ROOT / "docs/querying.md").read_text()) == MADE


def test_every_table_has_every_column_with_its_type_and_meaning() -> None:
    assert list(MADE["tables"]) == list(TABLES)
    for name, table in TABLES.items():
        columns = MADE["tables"][name]["columns"]
        assert pa.schema([(c["name"], ARROW[c["type"]]) for c in columns]).equals(
            pa.schema([(field.name, field.type) for field in table.parquet])
        )
        assert [c["comment"] for c in columns] == [column.meaning for column in table.columns]
        assert all(0 < len(c["comment"]) <= MOST_COMMENT_CHARS for c in columns)


def test_the_saved_queries_are_the_views_and_the_examples_of_the_page() -> None:
    assert MADE["queries"].keys() == {*VIEWS, "launches_per_year", "the_next_launches", "boosters", "slips", "lists"}


def test_a_saved_query_brings_the_views_along_that_it_names() -> None:
    for name, query in MADE["queries"].items():
        for view in VIEWS:
            named = f"FROM {view}\n" in query["sql"]
            assert not named or query["sql"].startswith("WITH "), name
            assert not named or f"{view} AS (" in query["sql"], name


def test_the_years_are_those_of_which_a_run_warns_beyond() -> None:
    assert MADE["years"] == [PROJECTED_YEARS.start, PROJECTED_YEARS.stop - 1]
