"""All figures that were ever measured and not replaced, in `results.json`, and their medians."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

OURS = "pipeline"
BEFORE = "pipeline before"  # an earlier revision
PEERS = ("pandas", "awswrangler", "dlt")
BY_HAND = "arrow"
SAME_WORK = ("same_with_pandas", "same_with_dlt")
CPU = ("cpu_s", "mysql_cpu_s", "s3_cpu_s")
CPU_ALL = "cpu_all_s"
_KEPT = Path(__file__).with_name("results.json")

Figures = dict[str, Any]


def keep_about(about: Mapping[str, str], imports: Mapping[str, Sequence[float]]) -> None:
    """On what it is measured now, and how long packages take to load."""
    kept = read()
    kept["about"] = dict(about)
    if imports:
        kept["imports"] = dict(imports)
    _write_json(kept)


def keep(size: int, found: Mapping[str, Mapping[str, list[Figures]]], revision: str) -> None:
    """The runs at one size, by scenario and contender; they replace those of the same scenario and contender alone."""
    kept = read()
    for scenario, contenders in found.items():
        for name, runs in contenders.items():
            cell = kept["cells"].setdefault(str(size), {}).setdefault(scenario, {})
            cell[name] = {"revision": revision, "runs": runs}
    _write_json(kept)


def read() -> Figures:
    return dict(json.loads(_KEPT.read_text())) if _KEPT.exists() else {"about": {}, "imports": {}, "cells": {}}


def _write_json(kept: Figures) -> None:
    _KEPT.write_text(json.dumps(kept, indent=1) + "\n")


class Found:
    """Medians by size, scenario, contender and measure; None where nothing was measured."""

    def __init__(self, kept: Figures) -> None:
        self.cells: Figures = kept["cells"]
        self.sizes = sorted(self.cells, key=int)
        self._imports = kept["imports"]

    def contenders(self, size: str, scenario: str) -> list[str]:
        return sorted(self.cells.get(size, {}).get(scenario, {}), key=lambda name: (name != OURS, name))

    def runs(self, size: str, scenario: str, name: str = OURS) -> list[Figures]:
        cell = self.cells.get(size, {}).get(scenario, {}).get(name)
        return list(cell["runs"]) if cell else []

    def of(self, size: str, scenario: str, measure: str = "wall_s", name: str = OURS) -> float | None:
        figures = [_figure(run, measure) for run in self.runs(size, scenario, name)]
        known = [figure for figure in figures if figure is not None]
        return median(known) if known else None

    def ratios(self, sizes: Sequence[str], scenario: str, measure: str) -> list[float]:
        """Every contender's figure over ours."""
        ours = {size: self.of(size, scenario, measure) for size in sizes}
        every = [(size, self.of(size, scenario, measure, name)) for size in sizes for name in self.contenders(size, scenario)]
        return [ratio for size, value in every if (ratio := over(value, ours[size])) is not None]

    def least(self, size: str, names: Sequence[str], measure: str = "wall_s") -> float | None:
        """What the first run of the best of some contenders took."""
        return min((value for name in names if (value := self.of(size, "first", measure, name))), default=None)

    def imports(self, scenario: str) -> float | None:
        return median(self._imports[scenario]) if scenario in self._imports else None

    def stages(self, size: str) -> dict[str, float]:
        runs = self.runs(size, "first")
        return {stage: median(run["stage_seconds"][stage] for run in runs) for stage in runs[0]["stage_seconds"]} if runs else {}


def _figure(run: Figures, measure: str) -> float | None:
    """A figure of one run; all CPU time only where that of every server is known."""
    if measure != CPU_ALL:
        return run.get(measure)
    return sum(run[part] for part in CPU) if all(part in run for part in CPU) else None


def over(value: float | None, by: float | None, times: float = 1) -> float | None:
    return value / by / times if value is not None and by else None
