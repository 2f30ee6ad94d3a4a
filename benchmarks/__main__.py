"""Measures this pipeline and its peers in turn, and writes RESULTS.md; earlier figures that are not replaced stay in it."""

import argparse
import json
import os
import signal
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import figures, floor, imports, machine, results, services
from benchmarks.measure import cpu_seconds, measure
from tests.program import Program
from tests.services import Login, MotoServer, SampleApi
from tests.services.aws import without_settings

_HERE = Path(__file__).parent
_PEERS_PYTHON = _HERE.parent / "build/bench/bin/python"
_RUN = ("-m", "app", "run")
_COMMANDS = {figures.OURS: _RUN} | {
    name: (str(_HERE / f"peers/{name if name in figures.SAME_WORK else f'with_{name}'}.py"),)
    for name in (*figures.PEERS, figures.BY_HAND, *figures.SAME_WORK)
}
# What the source serves in turn, and the runs that are made meanwhile; the last change is the only one since the run before.
_PHASES = (
    ((), ("first", "unchanged")),
    (("0.01:spread",), ("changed",)),
    (("0.01:spread", "0.01:newest"), ("newest",)),
)
_SMALLEST = 205
_OURS_ALONE = {600}  # about what launch APIs hold, for the unchanged run
_REPEATED = 20_500  # of more launches there is one run of each peer, and none of those that do the same work
# dlt's merge finds rows without an index: of 20,500 launches its second run took 346 s, 332 of them in MySQL.
_MERGED_AGAIN = 205
_START_S = 600  # the source makes its launches before it answers

Run = dict[str, Any]
"""The figures of one run."""


def main() -> None:
    """Measure what was asked for."""
    options = _options()
    environment = without_settings(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what is measured is compiled, as in the image
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # services are stopped then too
    with tempfile.TemporaryDirectory(prefix="spacex-benchmark-") as work, services.mysql(Path(work) / "mysql") as admin:
        about = machine.about(admin, _PEERS_PYTHON) | machine.about_before(options.before)
        packages = _imports(options, admin, Path(work))
        figures.keep_about(about, packages if _SMALLEST in options.sizes else {})  # they are set beside the smallest's runs
        for size, rounds in zip(options.sizes, options.rounds, strict=True):
            found: dict[str, dict[str, list[Run]]] = defaultdict(lambda: defaultdict(list))
            for number in range(1, rounds + 1):
                for scenario, name, run in _one_round(size, number, options, admin, Path(work)):
                    found[scenario][name].append(run)
                    _say(f"{size:,} launches, round {number}, {scenario}, {name}: {json.dumps(run)}")
            figures.keep(size, found, about["revision"])
    results.write()
    _say(f"written: {results.RESULTS}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[205, 600, 20_500, 205_000], help="launches (default: 205 600 20500 205000)"
    )
    parser.add_argument("--rounds", type=int, nargs="+", default=[5, 5, 3, 2], help="for each size (default: 5 5 3 2)")
    parser.add_argument("--only", nargs="+", choices=_COMMANDS, default=list(_COMMANDS), help="these contenders")
    parser.add_argument("--before", type=Path, help="a checkout of an earlier revision, whose first run is measured too")
    scenarios = [name for _, names in _PHASES for name in names]
    parser.add_argument("--scenarios", nargs="+", choices=scenarios, default=scenarios, help="first, which all need, and these")
    options = parser.parse_args()
    if len(options.rounds) < len(options.sizes):
        parser.error("--rounds: one number for each size")
    options.rounds = options.rounds[: len(options.sizes)]
    if "newest" in options.scenarios:
        options.scenarios.append("changed")  # it is measured from there
    if options.before:
        options.only.append(figures.BEFORE)
    return options


def _takes_part(name: str, size: int, scenario: str) -> bool:
    """Whether a contender makes this run."""
    if name == figures.OURS:
        return True
    if size in _OURS_ALONE or scenario == "newest":
        return False
    if name in figures.SAME_WORK and size > _MERGED_AGAIN and scenario != "first":
        return False
    if name == figures.BEFORE or size > _REPEATED:
        return scenario == "first" and name not in figures.SAME_WORK
    return True


def _one_round(size: int, number: int, options: argparse.Namespace, admin: Login, work: Path) -> Iterator[tuple[str, str, Run]]:
    """All runs of all contenders, each from an empty bucket and an empty database on."""
    taking_part = [name for name in options.only if _takes_part(name, size, "first")]
    first = number % max(1, len(taking_part))  # another one each round meets services that have just started
    names = taking_part[first:] + taking_part[:first]
    with MotoServer(work / "moto") as moto, ExitStack() as opened:
        servers = {"mysql_cpu_s": services.server_pid(admin), "s3_cpu_s": moto.process.pid if moto.process else None}
        url = SampleApi(work / "api").url  # the port stays, though the source starts anew when its data changes
        places = {name: opened.enter_context(services.place(moto.endpoint, admin, url, work)) for name in names}
        for changed, scenarios in _PHASES:
            wanted = [name for name in scenarios if name == "first" or name in options.scenarios]
            runs = [(name, scenario) for name in names for scenario in wanted if _takes_part(name, size, scenario)]
            if not runs:
                continue
            api = SampleApi(work / "api", launches=size, changed=changed, long=True)
            api.start(_START_S)
            try:
                if api.url != url:
                    raise RuntimeError(f"the source had to move from {url} to {api.url}")
                for name, scenario in runs:
                    folder = options.before if name == figures.BEFORE else None
                    yield scenario, name, _run(name, places[name], size, admin, work, servers, folder)
                if (figures.OURS, "first") in runs:
                    yield "floor", figures.OURS, {"floor_s": _floor(places[figures.OURS], admin, work)}
            finally:
                api.stop()


def _run(
    name: str,
    place: Program,
    size: int,
    admin: Login,
    work: Path,
    servers: Mapping[str, int | None],
    folder: Path | None = None,
) -> Run:
    """One run, and the check that it did its work."""
    services.settle(admin)
    ours = name in (figures.OURS, figures.BEFORE)
    before = place.versions() if ours else set()
    python = sys.executable if ours else str(_PEERS_PYTHON)
    command = _RUN if ours else _COMMANDS[name]
    log = work / f"{name}.log"
    used = {server: cpu_seconds(pid) for server, pid in servers.items() if pid}
    run: Run = vars(measure([python, *command], place.environment, log, folder))
    run |= {server: cpu_seconds(pid) - used[server] for server, pid in servers.items() if pid}
    if ours:
        run |= _told(log) | {"puts": len(place.versions() - before)}
    services.check(place, size)
    return run


def _told(log: Path) -> Run:
    """What the pipeline says of its run in its last wide line."""
    lines = [line for text in log.read_text().splitlines() if "stage_seconds" in (line := json.loads(text))]
    last = lines[-1]
    rows = sum(sum(counts.values()) for counts in last["merged"].values())
    return {
        "state": last["state"],
        "files_written": last["files_written"],
        "rows_written": rows,
        "load_s": load_seconds(last["stage_seconds"]),
        "stage_seconds": last["stage_seconds"],
    }


def load_seconds(stages: dict[str, float]) -> float:
    """The time for loading and merging: what lies inside that stage but is no part of it is left out."""
    return stages.get("merge", 0.0) - sum(stages.get(name, 0.0) for name in ("put", "prove", "commit"))


def _floor(published: Program, admin: Login, work: Path) -> float:
    files = floor.write_files(published, work)
    services.settle(admin)
    with services.place(published.aws, admin, "", work) as empty:
        return floor.seconds(empty, files)


def _imports(options: argparse.Namespace, admin: Login, work: Path) -> dict[str, list[float]]:
    """Seconds that go into loading packages, by scenario; on the way every contender runs once, so that all is compiled."""
    found = {}
    with MotoServer(work / "moto") as moto, SampleApi(work / "api", launches=_SMALLEST, long=True) as api:
        for name in options.only:
            with services.place(moto.endpoint, admin, api.url, work) as place:
                if name != figures.OURS:
                    _run(name, place, _SMALLEST, admin, work, {}, options.before if name == figures.BEFORE else None)
                    continue
                for scenario in ("first", "unchanged"):
                    log = work / f"{scenario}.log"
                    measure([sys.executable, *imports.WATCHED, *_COMMANDS[name]], place.environment, log)
                    modules = imports.packages_loaded(log.with_suffix(".err").read_text())
                    found[scenario] = [imports.seconds(modules, work / "imports.log") for _ in range(options.rounds[0] + 1)][1:]
                    _say(f"{len(modules)} modules that a run loads, {scenario}: {found[scenario]}")
    return found


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201  # a long run says where it is


if __name__ == "__main__":
    main()
