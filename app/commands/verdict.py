"""What a command came to, as the last lines on a terminal: what changed, what was proven, what to do next."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from ..core.results import RowDifference
from ..core.runs import Merged, RunState, RunSummary
from ..core.schema import TABLES
from ..errors import some

Line = tuple[str | tuple[str, str], ...]
"""Parts of a line, each plain or with its style."""
Cells = Callable[[Sequence[object], int], list[str]]
"""Values as short texts that share a line with so many other characters, cut so that what tells them apart is seen."""

SHOWN_DIFFERENCES = 10
_SHOWN_CHANGES = 10
_SHOWN_REJECTS = 5
_SHOWN_PARTITIONS = 8
_INNER = {"put", "prove", "commit"}  # stages within merge, where there is one: their seconds are in it
_PROVEN = {
    RunState.PUBLISHED: "both stores, by the values written",
    RunState.UNCHANGED: "MySQL by values, S3 by versions and ETags",
    RunState.VERIFIED: "raw archive, S3 and MySQL were read back",
    RunState.HEALED: "raw archive, S3 and MySQL were read back",
}
_NEXT = {
    RunState.PUBLISHED: "report shows the data; verify reads everything back, the raw archive too",
    RunState.UNCHANGED: "nothing to do until the source changes; verify reads everything back",
    RunState.VERIFIED: "nothing to do",
    RunState.HEALED: "find out who altered it; nothing is left to repair",
}


def color(state: RunState) -> str:
    """The colour of a state."""
    if state.is_good:
        return "green"
    return "red" if state is RunState.FAILED else "yellow"


def of_run(summary: RunSummary, now: datetime) -> Iterator[Line]:
    """The verdict on a run or a verification."""
    state = summary.state
    inner = _INNER if "merge" in summary.stage_seconds else set()
    seconds = sum(seconds for stage, seconds in summary.stage_seconds.items() if stage not in inner)
    yield ()
    yield (state, f"bold {color(state)}"), f"  run {summary.run_id}  source {summary.source}  {seconds:.1f} s"
    for replayed in summary.replayed:
        yield (f"replayed run {replayed['replayed_run_id']}: {replayed['state']}",)
    rows = []
    for name in TABLES:
        merged = summary.merged.get(name, Merged(0, 0, 0))
        rows.append((name, summary.rows.get(name, 0), merged.inserted, merged.updated, merged.deleted))
    if state is RunState.VERIFIED:  # it changes nothing
        yield from _table(("table", "rows"), [row[:2] for row in rows])
    else:
        yield from _table(("table", "rows", "inserted", "updated", "deleted"), rows)
        equal = {None: "", True: "; stores are equal", False: "; STORES DISAGREE"}[summary.stores_equal]
        written = f"{summary.files_written} files written, {summary.files_deleted} deleted"
        yield (f"{written}; {_launches(summary.rejected)} rejected{equal}",)
    if summary.retained:
        yield (f"{_launches(summary.retained)} kept with the last good rows",)
    if summary.repaired:
        yield (f"not as published, and repaired: {some(summary.repaired, 1)}",)
    if summary.stores_equal and state in _PROVEN:
        yield (f"proven {now:%Y-%m-%d %H:%M:%S} UTC: {_PROVEN[state]}",)
    if state in _NEXT:
        yield ((f"next: {_NEXT[state]}", "dim"),)


def of_plan(summary: RunSummary, cells: Cells) -> Iterator[Line]:
    """What a run would do: the details first, the verdict last."""
    plan = summary.plan
    yield ()
    changes = plan.get("changes", [])
    for change in changes[:_SHOWN_CHANGES]:
        yield _changed(change["table"], change["key"], change["column"], [change["old"], change["new"]], cells)
    if len(changes) > _SHOWN_CHANGES:
        yield (f"{len(changes) - _SHOWN_CHANGES} more changes: plan --json",)
    rejects = plan.get("quarantine", [])
    for reject in rejects[:_SHOWN_REJECTS]:
        where = f"{reject['endpoint']}[{reject['index']}] {reject['id'] or ''}"
        yield (f"quarantine {where}: {reject['path']}: {reject['reason']}",)
    if len(rejects) > _SHOWN_REJECTS:
        yield (f"{len(rejects) - _SHOWN_REJECTS} more for quarantine: plan --json",)
    for statement in summary.ddl:
        yield (f"DDL: {statement.split(' (')[0]} …",)
    yield from _partitions("load", "MySQL", plan.get("load", []))
    yield from _partitions("put", "S3", plan.get("put", []))
    yield from _partitions("delete", "S3", plan.get("delete", []))
    yield ()
    refused = plan.get("refused", [])
    title = ("would be refused", "bold red") if refused else ("planned", "bold green")
    yield title, f"  source {summary.source}; nothing was written"
    rows = [
        (name, summary.rows.get(name, 0), counts["add"], counts["change"], counts["remove"])
        for name, counts in plan.get("rows", {}).items()
    ]
    yield from _table(("table", "rows", "add", "change", "remove"), rows)
    yield (f"{_launches(summary.rejected)} would be rejected, {summary.retained} kept with the last good rows",)
    for reason in refused:
        yield ("gate", "red"), f" {reason}"
    if not refused:
        has_news = any(plan.get(part) for part in ("load", "put", "delete")) or summary.ddl
        yield (("next: run" if has_news else "next: nothing to do, a run would change nothing", "dim"),)


def of_differences(differences: Sequence[RowDifference], cells: Cells) -> Iterator[Line]:
    """The first values and rows that a store does not hold as they were published."""
    for one in differences[:SHOWN_DIFFERENCES]:
        if "column" in one:
            values, store = ([one["in_mysql"]], "MySQL") if "in_mysql" in one else ([one.get("in_s3")], "S3")
            yield _changed(one["table"], one["key"], one["column"], [one.get("published"), *values], cells, f" in {store}")
        else:
            key = " ".join(map(str, one["key"])) or str(one["year"])
            yield f"{one['table']} {key}: ", (one["difference"], "bold")
    if len(differences) > SHOWN_DIFFERENCES:
        yield (f"{len(differences) - SHOWN_DIFFERENCES} more: verify --json",)


def _changed(table: str, key: Iterable[object], column: str, values: Sequence[object], cells: Cells, where: str = "") -> Line:
    row = f"{table} {' '.join(map(str, key))} "
    shown = cells(values, len(row) + len(column) + len(":  → ") + len(where))
    return row, (column, "bold"), f": {' → '.join(shown)}{where}"


def _partitions(action: str, store: str, names: Sequence[str]) -> Iterator[Line]:
    if names:
        more = f", and {len(names) - _SHOWN_PARTITIONS} more" if len(names) > _SHOWN_PARTITIONS else ""
        count = f"{len(names)} partition{'' if len(names) == 1 else 's'}"
        yield (f"{action} {count} in {store}: {', '.join(names[:_SHOWN_PARTITIONS])}{more}",)


def _launches(count: int) -> str:
    return f"{count:,} launch{'' if count == 1 else 'es'}"


def _table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[Line]:
    """A table without lines: names to the left, numbers to the right."""
    texts = [[str(row[0]), *(f"{number:,}" for number in row[1:])] for row in rows]
    widths = [max(map(len, column)) for column in zip(headers, *texts, strict=True)]
    for number, cells in enumerate([list(headers), *texts]):
        line = "  ".join([cells[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(cells[1:], widths[1:], strict=True))])
        yield ((line, "" if number else "bold"),)
