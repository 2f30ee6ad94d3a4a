"""`RESULTS.md` with its plots, drawn from all figures that are kept."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pygal
from pygal.style import Style

from benchmarks.figures import BEFORE, BY_HAND, CPU, CPU_ALL, OURS, PEERS, SAME_WORK, Figures, Found, over, read

_HERE = Path(__file__).parent
RESULTS = _HERE / "RESULTS.md"
_SMALL, _USUAL, _MIDDLE, _LARGE = "205", "600", "20500", "205000"
_SCENARIOS = {
    "first": "First run, into an empty bucket and an empty database",
    "unchanged": "Again, the source unchanged",
    "changed": "Again, 1 % of the launches changed, over all years",
    "newest": "Again, 1 % changed, of the newest year alone",
}
_MEASURES = {"wall_s": ("wall time", "s"), CPU_ALL: ("CPU time", "s"), "peak_mb": ("peak memory", "MB")}
_COLOURS = ("#1f5fa8", "#d9822b", "#3f9b57", "#8b5fb0", "#5b6770", "#b0413e", "#c4a000", "#7aa6d6")
_STYLE = Style(
    background="white",
    plot_background="white",
    foreground_strong="#222222",
    guide_stroke_color="#cccccc",
    major_guide_stroke_color="#cccccc",
    opacity="1",
    colors=_COLOURS,
    value_colors=("#222222",) * len(_COLOURS),
    font_family="sans-serif",
    title_font_size=16,
    label_font_size=13,
    major_label_font_size=13,
    legend_font_size=14,
    value_font_size=12,
)


def write() -> None:
    """Draw everything anew from what is kept."""
    kept = read()
    found = Found(kept)
    sections = [
        "# Results\n",
        _price(found),
        "## How it is measured\n",
        _INTRODUCTION,
        "## Targets\n",
        _table(("target", "at most", "measured", "met"), _targets(found)),
        *(_plot(found, "first", measure) for measure in _MEASURES),
    ]
    for scenario, title in _SCENARIOS.items():
        sections += [f"## {title}\n", _table(_HEAD, _rows(found, scenario))]
        if scenario == "changed":
            sections.append(_plot(found, scenario, "wall_s"))
    sections += ["## The load and its floor\n", _LOAD, _table(("launches", "load stage", "floor", "ratio"), _load_rows(found))]
    stages = list(dict.fromkeys(stage for size in reversed(found.sizes) for stage in found.stages(size)))
    sections += ["## Stages of a first run of this pipeline, in seconds\n", _STAGES]
    sections += [_table(("stage", *(f"{int(size):,}" for size in found.sizes)), _stage_rows(found, stages))]
    sections += ["## Measured on\n", _table(("", ""), kept["about"].items()), _revisions(found)]
    RESULTS.write_text("\n".join(sections))


_INTRODUCTION = """\
`make bench` measures this pipeline beside others that fetch the same launches, write them to S3 as Parquet and load them into
MySQL (in `peers/`). `pandas`, `awswrangler` and `dlt` do the usual job with that tool, as somebody would who knows it: one
table, nothing checked, nothing archived, no ids resolved, all of it written anew each time; dlt's files are not partitioned by
year, which it does not offer. `arrow` is the same job by hand with Arrow and LOAD DATA: what the tools themselves cost is not
in it, and so it is the floor. `same_with_pandas` and `same_with_dlt` do what the pipeline does, five tables with ids resolved
(by dlt: to be joined) and rows merged by key, but validate, archive and prove nothing. `pipeline before` is an earlier revision.

All have the same source, S3 emulator (moto, one process) and MySQL server on the same machine, and take turns, in another
order each round. The source's launches are the sample API's: copies of its 205, with other ids, names and dates, and with
details and links as many and as long as those that were recorded of the real API (43 MB for 20,500). Of 205,000 launches
everybody but the pipeline makes only the first run, and those that do the same work make none; of 20,500 they make only the
first, since dlt's merge finds rows without an index (its second run took 346 s when it was tried).

Each figure is the median of the rounds, of a whole process seen from outside: wall time from its start to its end, CPU time in
user and system mode, children included, and peak memory: the kernel's own figure for the largest process, or the sum over all
processes of the run (proportional set sizes, sampled every 50 ms) where that is larger. CPU time counts the servers' too, as
far as they worked for this run: "own" is the contender's part of it, then come MySQL's and moto's. What the source uses is not
in it. "×" is the contender's figure divided by this pipeline's. "Imports" is a bare process that loads the packages which such
a run loads (found by watching one), and nothing else.
"""
_LOAD = """\
The floor is `LOAD DATA LOCAL INFILE` of ready files of the same rows, all tables, straight into empty tables of the same
definitions, in one transaction. The load stage is what the pipeline takes for staging and merging, without waiting for S3,
proving and the commit.
"""
_STAGES = "Stages overlap, and `merge` holds `put`, `prove` and `commit`.\n"
_HEAD = ("launches", "contender", "wall s", "×", "CPU s", "×", "own", "MySQL", "S3", "peak MB", "×")


def _price(found: Found) -> str:
    """What a user pays for the guarantees, and what not, in three sentences."""
    wall, cpu, again = found.of(_MIDDLE, "first"), found.of(_MIDDLE, "first", CPU_ALL), found.of(_MIDDLE, "unchanged")
    others = [over(wall, found.least(_MIDDLE, names)) for names in ([BY_HAND], SAME_WORK, PEERS)]
    others += [over(cpu, found.least(_MIDDLE, names, CPU_ALL)) for names in ([BY_HAND], SAME_WORK)]
    if again is None or None in others:
        return "What the guarantees cost is not measured: that needs all contenders at 20,500 launches.\n"
    by_hand, same, tool, by_hand_cpu, same_cpu = map(_told, others)
    return f"""\
What the guarantees cost, for 20,500 launches: a first run, with five tables, the raw archive, every record validated and both
stores proven, takes {by_hand} times the wall time and {by_hand_cpu} times the CPU time, servers included, of code by hand that
writes one table and checks nothing. Of the same five tables written with pandas or dlt and without guarantees it takes {same}
times the wall time and {same_cpu} times the CPU time, and of one table written with the fastest of these tools {tool} times the
wall time. A later run that finds the source unchanged has proven MySQL's values and S3's versions again within {_told(again)} s,
where the others do all of their work once more.
"""


def _targets(found: Found) -> list[tuple[str, ...]]:
    """Each with its limit, what was measured, and whether that is enough."""
    of, least = found.of, found.least
    small, middle, large = (of(size, "first") for size in (_SMALL, _MIDDLE, _LARGE))
    peak, more = of(_MIDDLE, "first", "peak_mb"), of(_LARGE, "first", "peak_mb")
    ours = "first run: wall time over"
    rows = [
        _target(f"205, {ours} the fastest tool's", 0.95, over(small, least(_SMALL, PEERS)), "×"),
        *(_target(f"205, {ours} that of `{name}`", 0.3, over(small, least(_SMALL, [name])), "×") for name in SAME_WORK),
        _target(f"20,500, {ours} the fastest tool's", 0.6, over(middle, least(_MIDDLE, PEERS)), "×"),
        _target(f"205,000, {ours} the fastest tool's", 0.56, over(large, least(_LARGE, PEERS)), "×"),
        _target(f"20,500, {ours} that of the same work", None, over(middle, least(_MIDDLE, SAME_WORK)), "×"),
        _target(f"20,500, {ours} that by hand", None, over(middle, least(_MIDDLE, [BY_HAND])), "×"),
        _target(f"205, {ours} imports", 1.2, _less(small, found.imports("first")), "s"),
        _target("205,000, first run: time for a launch over that at 20,500", 1.2, over(large, middle, 10), "×"),
        _target("20,500, first run: peak memory", 300, peak, "MB"),
        _target("205,000, first run: peak memory", 350, more, "MB"),
        _target("205,000, 1 % changed, over all years: peak memory", 300, of(_LARGE, "changed", "peak_mb"), "MB"),
        _target("20,500, first run: load over its floor", 2.5, _load_ratio(found, _MIDDLE), "×"),
        _target("205,000, first run: load over its floor", None, _load_ratio(found, _LARGE), "×"),
        _target("205, unchanged: wall time over imports", 1.0, _less(of(_SMALL, "unchanged"), found.imports("unchanged")), "s"),
        _target("600, unchanged, all values in MySQL proven", 0.8, of(_USUAL, "unchanged"), "s"),
        _target("20,500, unchanged, all values in MySQL proven", 1.5, of(_MIDDLE, "unchanged"), "s"),
    ]
    unchanged = [run for size in found.sizes for run in found.runs(size, "unchanged")]
    written = [run["puts"] + run["files_written"] + run["rows_written"] + (run["state"] != "unchanged") for run in unchanged]
    rows.append(_target("unchanged, all sizes: objects put and rows written", 0, max(written, default=None), ""))
    return [*rows, *_changed_targets(found)]


def _changed_targets(found: Found) -> Iterator[tuple[str, ...]]:
    """A changed run over the first run of the earlier revision, or where none was measured over that of today."""
    limits = {(_MIDDLE, "changed"): 0.45, (_LARGE, "changed"): 0.35, (_MIDDLE, "newest"): 0.35, (_LARGE, "newest"): 0.25}
    for size in found.sizes:
        before = found.of(size, "first", name=BEFORE)
        against = "the first run of the revision before" if before else "a first run of today"
        for scenario, where in (("changed", "over all years"), ("newest", "of the newest year")):
            if (value := found.of(size, scenario)) is not None:
                share = over(value, before or found.of(size, "first"))
                name = f"{int(size):,}, 1 % changed, {where}: wall time over {against}"
                yield _target(name, limits.get((size, scenario)), share, "×")


def _target(name: str, limit: float | None, value: float | None, unit: str) -> tuple[str, ...]:
    met = "" if limit is None or value is None else "yes" if value <= limit else "**no**"
    told = "not measured" if value is None else f"{_told(value)} {unit}"
    return name, "–" if limit is None else f"{limit:g} {unit}", told, met


def _rows(found: Found, scenario: str) -> list[tuple[str, ...]]:
    rows = []
    for size in found.sizes:
        for name in found.contenders(size, scenario):
            row = [f"{int(size):,}", name]
            for measure in _MEASURES:
                value = found.of(size, scenario, measure, name)
                ratio = over(value, found.of(size, scenario, measure))
                row += [_told(value), _told(ratio)]
                if measure == CPU_ALL:
                    row += [_told(found.of(size, scenario, part, name)) for part in CPU]
            rows.append(tuple(row))
    imports = found.imports(scenario)
    return [*rows, ("", "imports", _told(imports), *[""] * (len(_HEAD) - 3))] if imports else rows


def _load_rows(found: Found) -> list[tuple[str, ...]]:
    return [
        (
            f"{int(size):,}",
            f"{_told(found.of(size, 'first', 'load_s'))} s",
            f"{_told(found.of(size, 'floor', 'floor_s'))} s",
            _told(_load_ratio(found, size)),
        )
        for size in found.sizes
    ]


def _stage_rows(found: Found, stages: Sequence[str]) -> list[tuple[str, ...]]:
    return [(stage, *(_told(found.stages(size).get(stage)) for size in found.sizes)) for stage in stages]


def _load_ratio(found: Found, size: str) -> float | None:
    return over(found.of(size, "first", "load_s"), found.of(size, "floor", "floor_s"))


def _revisions(found: Found) -> str:
    """Which revision each figure of ours is of: those of several runs may stand side by side."""
    of = {
        size: ", ".join(sorted({cell[OURS]["revision"] for cell in found.cells[size].values() if OURS in cell}))
        for size in found.sizes
    }
    return (
        "This pipeline at " + "; ".join(f"{int(size):,}: {revisions or 'not measured'}" for size, revisions in of.items()) + ".\n"
    )


def _less(value: float | None, by: float | None) -> float | None:
    return value - by if value is not None and by is not None else None


def _told(value: float | None) -> str:
    """With as many digits as mean something."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 or value == 0 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"  # noqa: PLR2004


def _table(head: Sequence[str], rows: Any) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _plot(found: Found, scenario: str, measure: str) -> str:
    """Bars by size and contender, drawn beside the text; the Markdown that shows them. Nothing where nothing was measured."""
    sizes = [size for size in found.sizes if found.of(size, scenario, measure)]
    if not sizes:
        return ""
    what, unit = _MEASURES[measure]
    title = f"{_SCENARIOS[scenario].partition(',')[0] if scenario == 'first' else _SCENARIOS[scenario]}: {what}"
    chart = pygal.Bar(
        # Sizes differ a thousandfold: as multiples all can be told apart.
        title=f"{title}, as a multiple of this pipeline's",
        x_labels=[f"{int(size):,} launches" for size in sizes],
        width=900,
        height=360,
        range=(0, max(found.ratios(sizes, scenario, measure)) * 1.05),
        legend_at_bottom=True,
        legend_at_bottom_columns=4,
        max_scale=6,
        print_values=True,
        print_values_position="top",
        value_formatter=lambda value: f"{value:g} ×",
        js=(),  # pygal's own is loaded from its author's site
        style=_STYLE,
    )
    chart.uuid = f"{scenario}-{measure.partition('_')[0]}"  # not chance: the same figures are the same file
    for name in dict.fromkeys(name for size in sizes for name in found.contenders(size, scenario)):
        chart.add(name, [_bar(found, size, scenario, measure, name, unit) for size in sizes])
    file = _HERE / f"{chart.uuid}.svg"
    file.write_bytes(re.sub(rb"<!--.*?-->|<script.*?</script>", b"", chart.render(), flags=re.DOTALL))
    return f"![{title}]({file.name})\n"


def _bar(found: Found, size: str, scenario: str, measure: str, name: str, unit: str) -> Figures:
    """As high as its multiple; what it says is the figure itself."""
    value = found.of(size, scenario, measure, name)
    return {"value": over(value, found.of(size, scenario, measure)), "formatter": lambda _: f"{_told(value)} {unit}"}
