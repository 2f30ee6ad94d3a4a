"""A raw archive of many runs, an hour apart, each of which published what it found; made in one process, as fast as runs go."""

import copy
import json
import logging
import os
import random
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from app import sources
from app.core.model import Run
from app.core.reconcile import Limits
from app.core.runs import RunSummary
from app.errors import LockHeld
from app.lake.layout import new_run_id
from app.lake.store import S3Lake
from app.mysql.warehouse import MysqlWarehouse
from app.pipeline.adapters import Adapters
from app.pipeline.run import run as publish
from app.settings import load_settings
from app.telemetry.interrupts import Interrupts
from app.telemetry.stages import Telemetry
from tests import forked
from tests.sample_api import SampleApi, records
from tests.sample_api.library import Budget
from tests.sample_api.library_records import as_library

Records = list[dict[str, Any]]
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_SILENT = logging.getLogger("archive.silent")
_SILENT.disabled = True
_SEED = 7
_SHARE = 50  # of so many launches one changes in an hour
_FEWEST = 15  # launches that are always there, of twenty


def make_archive(environment: dict[str, str], runs: int, launches: int) -> None:
    """Let so many runs publish what a source sends that changes every hour; the settings of its stores are in the environment."""
    code = forked.call(_make, environment, runs, launches, timeout_s=7200)
    assert code == 0, f"the archive could not be made: exit {code}"


def _make(environment: dict[str, str], runs: int, launches: int) -> None:
    os.environ.clear()
    os.environ.update(environment)
    is_library = environment["SOURCE"] == "launch_library"
    with SampleApi(n=1) as api:
        os.environ["SOURCE_URL"] = api.url
        hours = _library_hours(launches) if is_library else _hours(launches)
        for hour in range(runs):
            api.set("2.3.0/launches" if is_library else "launches", next(hours))
            if hour % 100 == 50:  # all other answers about rockets are 304
                api.set("rockets", _renamed(json.loads(api.body("v4/rockets")), hour))
            _publish(BEGAN + timedelta(hours=hour))
            api.budget = Budget(1000, used=999)  # so that Launch Library's changes are all that can be asked for


# On a busy machine the server may still be ending the connection of the run before, which was closed a moment ago.
@retry(retry=retry_if_exception_type(LockHeld), wait=wait_fixed(0.1), stop=stop_after_delay(30), reraise=True)
def _publish(at: datetime) -> None:
    settings = load_settings(())
    source = sources.module(settings.source).make(settings, lambda _: None)
    run = Run(new_run_id(at, 0), at, source.name, at)
    with tempfile.TemporaryDirectory() as folder, MysqlWarehouse(settings) as warehouse:
        adapters = Adapters(source, S3Lake(settings), warehouse, Telemetry(run.id, _SILENT, Interrupts(0)))
        publish(run, adapters, Limits(0.05, 0.1), 30, Path(folder), RunSummary(run.id, run.source, at))


def _renamed(rockets: Records, hour: int) -> Records:
    return [{**rockets[0], "name": f"Rocket of hour {hour}"}, *rockets[1:]]


def _hours(launches: int) -> Iterator[Records]:
    """What the API sends from hour to hour: slips, outcomes and names change, launches go and come back, records are broken."""
    chance = random.Random(_SEED)  # the same archive every time
    state = [copy.deepcopy(records.launch(number)) for number in range(launches)]
    gone: Records = []
    yield state
    hour = 0
    while True:
        hour += 1
        for launch in chance.sample(state, max(1, launches // _SHARE)):
            _change(launch, hour, chance)
        if hour % 17 == 5 and len(state) > launches * _FEWEST // 20:
            unmanned = [place for place, launch in enumerate(state) if not launch["crew"]]  # of the others there are few
            gone.append(state.pop(chance.choice(unmanned)))
        if hour % 17 == 11 and gone:
            state.append(gone.pop(0))
        yield _broken(state, hour, chance)


def _change(launch: dict[str, Any], hour: int, chance: random.Random) -> None:
    match chance.randrange(6):
        case 0:
            launch["details"] = f"as of hour {hour}"
        case 1:
            moved = datetime.fromisoformat(launch["date_utc"]) + timedelta(days=chance.choice([1, 3, 40, 400, -40]))
            launch["date_utc"] = moved.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        case 2:
            launch["success"] = chance.choice([True, False, None])
        case 3:
            launch["name"] = f"Renamed in hour {hour}"
        case 4:
            launch["cores"] = launch["cores"][:1] if hour % 2 else []
        case _:
            launch["flight_number"] += 1


def _broken(state: Records, hour: int, chance: random.Random) -> Records:
    sent = list(state)
    if hour % 13 in {7, 8}:  # its last good row stays
        place = hour // 13 % len(sent)
        sent[place] = {**sent[place], "flight_number": "many"}
    if hour % 23 == 3:  # nothing is absent
        place = chance.randrange(len(sent))
        sent[place] = {**sent[place], "id": "no / id"}
    if hour % 29 == 20:  # the last counts
        sent.append({**sent[3], "details": f"again in hour {hour}"})
    return sent


def _library_hours(launches: int) -> Iterator[Records]:
    """Launch Library sends what changed since the hour before, on top of everything."""
    chance = random.Random(_SEED)  # the same archive every time
    state = [as_library(records.launch(number)) for number in range(launches)]
    hour = 0
    while True:
        yield state
        hour += 1
        at = f"{datetime.now(UTC) + timedelta(seconds=hour):%Y-%m-%dT%H:%M:%SZ}"
        changed = {chance.randrange(1, len(state)): {"name": f"Rocket | Renamed in hour {hour}"}}
        if hour % 5 in {3, 4}:  # broken for an hour
            changed[0] = {"net": "soon" if hour % 5 == 3 else "2030-01-01T00:00:00Z"}
        for place, facts in changed.items():
            state[place] = {**state[place], **facts, "last_updated": at}
