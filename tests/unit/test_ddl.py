"""Which differences of a table are mended, left alone, or left to a person."""

from dataclasses import replace

import pytest

from app.core.schema import TABLES
from app.mysql.ddl import FoundColumn, FoundTable, Migration, migration
from app.mysql.sql import RUNS_COLUMNS, RUNS_TABLE, column_definitions


def as_made(name: str, definitions: dict[str, str], key: tuple[str, ...]) -> FoundTable:
    """A table just as our own DDL makes it."""
    columns = []
    for column, definition in definitions.items():
        words = definition.split()
        charset = words[words.index("SET") + 1] if "SET" in words else None
        collation = words[words.index("COLLATE") + 1] if "COLLATE" in words else None
        columns.append(FoundColumn(column, words[0].lower(), charset, collation, "NOT NULL" not in definition, has_default=False))
    return FoundTable(name, is_view=False, empty=False, key=key, columns=tuple(columns))


def all_made() -> dict[str, FoundTable]:
    tables = {RUNS_TABLE: as_made(RUNS_TABLE, dict(RUNS_COLUMNS), ("run_id",))}
    return tables | {t.name: as_made(t.name, column_definitions(t), t.key) for t in TABLES.values()}


def with_column(column: str, **difference: object) -> Migration:
    """What is made of `launches` with one column that differs."""
    tables = all_made()
    launches = tables["launches"]
    columns = tuple(replace(c, **difference) if c.name == column else c for c in launches.columns)
    tables["launches"] = replace(launches, columns=columns)
    return migration(tables.values())


def test_tables_as_we_make_them_need_nothing() -> None:
    assert migration(all_made().values()) == Migration()
    assert len(migration([]).ddl) == 1 + len(TABLES)


@pytest.mark.parametrize(
    ("column", "difference"),
    [
        ("name", {"type": "varchar(20)"}),
        ("name", {"type": "varchar(512)", "charset": "latin1", "collation": "latin1_swedish_ci"}),
        ("name", {"collation": "utf8mb4_general_ci"}),
        ("details", {"type": "text"}),
        ("flight_number", {"type": "int(11)"}),
        ("payload_mass_kg", {"type": "float"}),
        ("date_utc", {"type": "datetime"}),
        ("window_s", {"nullable": False}),
    ],
)
def test_what_is_too_narrow_is_widened(column: str, difference: dict[str, object]) -> None:
    found = with_column(column, **difference)
    assert found.refused == []
    assert len(found.ddl) == 1
    assert f"MODIFY COLUMN `{column}`" in found.ddl[0]


@pytest.mark.parametrize(
    ("column", "difference"),
    [("name", {"type": "longtext"}), ("upcoming", {"type": "bigint(20)"}), ("date_utc", {"type": "datetime(6)"})],
)
def test_what_is_wider_is_left_alone(column: str, difference: dict[str, object]) -> None:
    assert with_column(column, **difference) == Migration()


@pytest.mark.parametrize(
    ("column", "difference"),
    [
        ("window_s", {"type": "varchar(20)", "charset": "utf8mb4", "collation": "utf8mb4_bin"}),
        ("window_s", {"type": "varchar(20)", "charset": "utf8mb4", "collation": "utf8mb4_bin", "nullable": False}),
        ("window_s", {"type": "bigint(20) unsigned"}),
        ("name", {"type": "int"}),
        ("article_url", {"type": "longtext", "nullable": False}),
        ("article_url", {"type": "longtext", "charset": "latin1", "collation": "latin1_swedish_ci"}),
        ("upcoming", {"type": "bigint(20)", "nullable": False}),
        ("date_utc", {"type": "timestamp(6)"}),
    ],
)
def test_what_would_have_to_be_retyped_or_narrowed_is_left_to_a_person(column: str, difference: dict[str, object]) -> None:
    found = with_column(column, **difference)
    assert found.ddl == []
    assert len(found.refused) == 1
    assert column in found.refused[0]


def test_columns_of_nobody_are_left_alone_when_a_row_can_do_without_them() -> None:
    tables = all_made()
    launches = tables["launches"]
    for extra, refused in (
        (FoundColumn("remark", "text", "utf8mb4", "utf8mb4_bin", nullable=True, has_default=False), 0),
        (FoundColumn("remark", "int", None, None, nullable=False, has_default=True), 0),
        (FoundColumn("remark", "int", None, None, nullable=False, has_default=False), 1),
    ):
        tables["launches"] = replace(launches, columns=(*launches.columns, extra))
        found = migration(tables.values())
        assert (len(found.refused), len(found.unknown)) == (refused, 1 - refused)


def test_views_other_keys_and_tables_of_others_are_refused() -> None:
    tables = all_made()
    assert migration([*tables.values(), replace(tables["launches"], is_view=True)]).refused
    assert migration([*tables.values(), replace(tables["launches"], key=("name",))]).refused
    del tables[RUNS_TABLE]
    assert len(migration(tables.values()).refused) == 1
    assert migration([replace(table, empty=True) for table in tables.values()]).refused == []


def test_a_column_with_a_former_name_is_renamed_and_compared_by_the_new_one() -> None:
    tables = all_made()
    changes = tables["launch_changes"]
    former = {"column_name": "column", "old_value": "old", "new_value": "new"}
    columns = tuple(replace(c, name=former.get(c.name, c.name)) for c in changes.columns)
    tables["launch_changes"] = replace(changes, key=("launch_id", "run_id", "column"), columns=columns)
    found = migration(tables.values())
    renames = [f"RENAME COLUMN `{old}` TO `{new}`" for new, old in former.items()]
    assert found.ddl == [f"ALTER TABLE `launch_changes` {', '.join(renames)}"]
    assert (found.refused, found.unknown) == ([], [])
    tables["launch_changes"] = replace(
        tables["launch_changes"], columns=tuple(replace(c, type="text") if c.name == "old" else c for c in columns)
    )
    assert "MODIFY COLUMN `old_value` MEDIUMTEXT" in migration(tables.values()).ddl[1]


def test_where_both_names_are_there_neither_is_touched() -> None:
    tables = all_made()
    extra = FoundColumn("old", "mediumtext", "utf8mb4", "utf8mb4_bin", nullable=True, has_default=False)
    tables["launch_changes"] = replace(tables["launch_changes"], columns=(*tables["launch_changes"].columns, extra))
    assert migration(tables.values()) == Migration(unknown=["launch_changes.old"])


def test_comments_are_ddl_that_no_value_depends_on() -> None:
    found = with_column("date_utc", comment="other words")
    assert found.ddl == []
    (statement,) = found.comments
    assert statement.startswith("ALTER TABLE `launches` MODIFY COLUMN `date_utc` datetime(6) NOT NULL COMMENT 'Launch time")
