"""What must change in the database before a load, as pure text: the tables that are there against those of `schema.py`.

Missing tables are made, missing columns added, columns with a former name renamed, narrow types widened. A column that the
schema does not know is left alone when a row can be inserted without it. Everything else is for a person: the run stops with the
DDL that it would take.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ..core.identifiers import quoted
from ..core.schema import TABLES
from .sql import RUNS_COLUMNS, RUNS_TABLE, column_definitions, comment, comments, create_table

_INTEGERS = ("tinyint", "smallint", "mediumint", "int", "bigint")
_TEXTS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext")
_TEXT_BYTES = {"tinytext": 2**8, "text": 2**16, "mediumtext": 2**24, "longtext": 2**32}
_CHARSETS = ("ascii", "latin1", "utf8mb3", "utf8", "utf8mb4")


@dataclass(frozen=True)
class FoundColumn:
    """One column as information_schema tells it."""

    name: str
    type: str  # as varchar(64), tinyint(1), bigint unsigned
    charset: str | None
    collation: str | None
    nullable: bool
    has_default: bool
    comment: str | None = None


@dataclass(frozen=True)
class FoundTable:
    """One table, or a view in its place."""

    name: str
    is_view: bool
    empty: bool
    key: tuple[str, ...]
    columns: tuple[FoundColumn, ...]
    comment: str | None = None


@dataclass
class Migration:
    """DDL to run, DDL that a person must approve, and columns that the schema does not know.

    `comments` is DDL that changes words alone: no value depends on it.
    """

    ddl: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def migration(found: Iterable[FoundTable]) -> Migration:
    """What it takes to bring the tables that were found to the schema."""
    there = {table.name: table for table in found}
    result = Migration()
    if RUNS_TABLE not in there:
        foreign = [name for name in TABLES if name in there and not there[name].empty]
        if foreign:
            names = ", ".join(foreign)
            result.refused.append(f"-- {names}: holds rows but has no {RUNS_TABLE} beside it: another program's")
            return result
    wanted: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {RUNS_TABLE: (dict(RUNS_COLUMNS), ("run_id",))}
    wanted |= {t.name: (column_definitions(t), t.key) for t in TABLES.values()}
    for name, (definitions, key) in wanted.items():
        table = there.get(name)
        if table is None:
            result.ddl.append(create_table(name, definitions.items(), key, year=name in TABLES))
        elif table.is_view:
            result.refused.append(f"-- {name} is a view; DROP VIEW {quoted(name)};")
        else:
            _compare(_renamed(table, result), definitions, key, result)
    return result


def _renamed(table: FoundTable, result: Migration) -> FoundTable:
    """The table with its columns renamed, in one statement: the rows stay, and no moment shows half of the names."""
    there = {column.name.lower() for column in table.columns}
    wanted = TABLES[table.name].columns if table.name in TABLES else ()
    names = {
        c.former_name: c.name for c in wanted if c.former_name and c.former_name in there and c.name not in there
    }  # where both are there, somebody else made one of them
    if not names:
        return table
    renames = ", ".join(f"RENAME COLUMN {quoted(old)} TO {quoted(new)}" for old, new in names.items())
    result.ddl.append(f"ALTER TABLE {quoted(table.name)} {renames}")
    columns = tuple(replace(c, name=names.get(c.name.lower(), c.name)) for c in table.columns)
    return replace(table, key=tuple(names.get(column, column) for column in table.key), columns=columns)


def _compare(table: FoundTable, definitions: dict[str, str], key: tuple[str, ...], result: Migration) -> None:
    name = quoted(table.name)
    columns = {column.name.lower(): column for column in table.columns}
    if table.key != key:
        result.refused.append(f"ALTER TABLE {name} DROP PRIMARY KEY, ADD PRIMARY KEY ({', '.join(map(quoted, key))});")
    meanings = comments(table.name)[1]
    actions = []
    for column, definition in definitions.items():
        found = columns.pop(column, None)
        described = f"{quoted(column)} {definition} {comment(meanings[column])}"
        if found is None:
            actions.append(f"ADD COLUMN {described}")
        elif (verdict := _fits(found, definition)) == "widen":
            actions.append(f"MODIFY COLUMN {described}")
        elif verdict == "refuse":
            is_now = f"{found.type} {found.collation or ''}".rstrip()
            result.refused.append(f"ALTER TABLE {name} MODIFY COLUMN {described}; -- it is {is_now}")
    for found in columns.values():
        if found.nullable or found.has_default:
            result.unknown.append(f"{table.name}.{found.name}")
        else:
            result.refused.append(f"ALTER TABLE {name} MODIFY COLUMN {quoted(found.name)} {found.type} NULL;")
    if actions:
        result.ddl.append(f"ALTER TABLE {name} {', '.join(actions)}")
    _describe(table, definitions, result)


def _describe(table: FoundTable, definitions: dict[str, str], result: Migration) -> None:
    """The comments of a table and of its columns, but for columns that are altered anyhow."""
    meaning, meanings = comments(table.name)
    words = [
        f"MODIFY COLUMN {quoted(found.name)} {_as_found(found)} {comment(meanings[name])}"
        for found in table.columns
        if (name := found.name.lower()) in definitions
        and found.comment not in (None, meanings[name])
        and _fits(found, definitions[name]) == "fits"
        and not found.has_default  # which MODIFY would take away
    ]
    if table.comment not in (None, meaning) and table.name != RUNS_TABLE:  # whose comment names the views too
        words.append(comment(meaning))
    if words:
        result.comments.append(f"ALTER TABLE {quoted(table.name)} {', '.join(words)}")


def _as_found(column: FoundColumn) -> str:
    """A column's definition as it is: a comment changes nothing else of it."""
    text = f" CHARACTER SET {column.charset} COLLATE {column.collation}" if column.charset else ""
    return f"{column.type}{text}{'' if column.nullable else ' NOT NULL'}"


def _fits(found: FoundColumn, definition: str) -> str:
    """`fits`, `widen` or `refuse`."""
    verdict = _fits_type(found, definition)
    if "NOT NULL" not in definition and not found.nullable and verdict == "fits":
        # NULL must be possible; but MODIFY to our type would narrow a column that is wider than it.
        (base, width, _), (wanted, wanted_width, _) = _parts(found.type), _parts(definition)
        return "widen" if base == wanted and (base in _INTEGERS or width == wanted_width) else "refuse"
    return verdict


def _fits_type(found: FoundColumn, definition: str) -> str:
    base, width, unsigned = _parts(found.type)
    wanted, wanted_width, _ = _parts(definition)
    if wanted in _INTEGERS and base in _INTEGERS:
        if unsigned:
            return "refuse"
        return "fits" if _INTEGERS.index(base) >= _INTEGERS.index(wanted) else "widen"
    if wanted == "double" and base in ("double", "float"):
        return "fits" if base == "double" else "widen"
    if wanted == base == "datetime":
        return "fits" if (width or 0) >= (wanted_width or 0) else "widen"
    if wanted in _TEXTS and base in _TEXTS:
        return _fits_text(found, base, width, definition, wanted, wanted_width)
    return "refuse"


def _fits_text(found: FoundColumn, base: str, width: int | None, definition: str, wanted: str, chars: int | None) -> str:
    charset = re.search(r"CHARACTER SET (\w+)", definition)
    collation = re.search(r"COLLATE (\w+)", definition)
    if charset is None or collation is None or found.charset not in _CHARSETS:
        return "refuse"
    smaller = _bytes(base, width) < _bytes(wanted, chars)
    larger = _bytes(base, width) > _bytes(wanted, chars)
    narrow = _CHARSETS.index(found.charset) < _CHARSETS.index(charset[1])
    # A wider character set is left alone, another order of the same one is not: it would make 'abc' and 'ABC' one key.
    same_order = found.collation == collation[1] or (found.charset != charset[1] and str(found.collation).endswith("_bin"))
    if not smaller and not narrow and same_order:
        return "fits"
    # MODIFY sets type, character set and order at once: it must make nothing narrower.
    return "refuse" if larger or (base == "char" and wanted != "char") else "widen"


def _parts(definition: str) -> tuple[str, int | None, bool]:
    form = re.match(r"(\w+)(?:\((\d+)\))?( unsigned)?", definition.lower())
    assert form
    return form[1], int(form[2]) if form[2] else None, bool(form[3])


def _bytes(base: str, chars: int | None) -> int:
    """How much a text column holds, for comparing two of them: bytes for the text types, four a character for the others."""
    return _TEXT_BYTES.get(base) or (chars or 1) * 4
