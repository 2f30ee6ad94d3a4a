"""How the r-spacex API's records become columns of the canonical tables."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from msgspec import UNSET

from ...core.columns import Children, Columns, Counts, tables_of
from ...core.fields import InvalidField, Shown, as_json_array
from ...core.model import Checked, Row
from ...core.source import SetAside
from ...core.validate import rejection, shortened
from ...errors import SourceError
from ..aggregates import core_facts, empty, name_unknown_fields, payload_facts
from ..structs import Reader, as_struct
from .lookups import Known, chars, looked_up
from .models import LOOKUPS, CoreUse, CrewUse, Failure, Fairings, Launch, Links, Patch, Reddit, fit, id_of

MAX_LOOKUPS = 400_000
MAX_LOOKUP_CHARS = 128 << 20
"""The most lookup records, and their text: all are kept in memory. SpaceX's have some 700, with 0.1 MB of text."""
_KEPT_CHARS = 200  # of a text that does not fit, to be shown where launches refer to it
_NOTHING: Counter[str] = Counter()
_PRECISIONS = frozenset({"half", "quarter", "year", "month", "week", "day", "hour", "minute", "second"})


class SpacexParser:
    """Turns launch records into columns with the facts of the lookups it has learned."""

    def __init__(self, set_aside: SetAside) -> None:
        self._set_aside = set_aside
        self._launches = Reader(Launch)
        self._known = {kind: Known(kind) for kind in LOOKUPS}
        self._has_faults = False  # among the lookups
        self._records = self._chars = 0

    def learn(self, kind: str, index: int, raw: Any) -> None:
        """Add one lookup record; one that does not fit is set aside, and so are the launches that refer to it.

        Raises SourceError when there are too many.
        """
        path = f"{kind}[{index}]"
        try:
            key, facts = _with_id(path, *looked_up(kind, raw, path))
        except InvalidField as error:
            reject = rejection(kind, index, raw, error)
            self._set_aside(reject, raw)
            if reject.id:
                self._count(0)
                kept = error.value[:_KEPT_CHARS] if isinstance(error.value, str) else Shown(reject.value)
                self._has_faults = True
                self._known[kind].set_aside(reject.id, InvalidField(error.path, kept, error.reason))
            return
        self._count(chars(facts))
        self._known[kind].learn(key, facts)

    def _count(self, chars: int) -> None:
        self._records += 1
        self._chars += chars
        if self._records > MAX_LOOKUPS or self._chars > MAX_LOOKUP_CHARS:
            message = f"the lookups have more than {MAX_LOOKUPS} records or {MAX_LOOKUP_CHARS >> 20} Mi characters"
            raise SourceError(message, hint="what was sent is kept in the raw archive")

    def read(self, record: Any) -> tuple[Launch, Counter[str]]:
        """One launch, and the fields that the models do not declare. Raises ValidationError or InvalidField."""
        if launch := self._launches.sure(record):
            if self._has_faults:
                self._check_references(launch)
            return launch, _NOTHING
        checked = Checked()
        model = self._launches.careful(record)
        model.crew = model.crew and [_in_role(one, f"crew[{i}]") for i, one in enumerate(model.crew)]
        self._check_references(model)
        name_unknown_fields(model, checked)
        return as_struct(model), checked.unknown_fields

    def _check_references(self, launch: Launch) -> None:
        """Raises InvalidField for one whose facts can't be used."""
        for kind, reference, path in _references(launch):
            if isinstance(reference, dict):
                looked_up(kind, reference, path)
            elif fault := self._known[kind].faults.get(reference):
                raise InvalidField(f"{path} -> {fault.path}", fault.value, fault.reason)

    def tables(self, launches: Sequence[Launch], counts: Counts) -> dict[str, pa.Table]:
        """The rows of some launches by table. Raises InvalidField and TooMuch."""
        cores = Children([launch.cores for launch in launches], counts)
        payloads = Children([launch.payloads for launch in launches], counts)
        crew = Children([launch.crew for launch in launches], counts)
        failures = Children([launch.failures for launch in launches], counts)
        core_columns = self._core_columns(cores, counts)
        payload_ids, payload_columns = self._known["payloads"].resolve(payloads.all, payloads.path("payloads"), counts)
        row = {
            **_own_columns(launches),
            **self._place_columns(launches, counts),
            **payload_facts(payloads, payload_columns),
            **core_facts(cores, core_columns),
            "crew_count": crew.count,
            "date_precision": [_precision(launch.date_precision, counts) for launch in launches],
        }
        return tables_of(
            row,
            {
                "launch_cores": (cores, core_columns),
                "launch_payloads": (payloads, {"payload_id": payload_ids, **payload_columns}),
                "launch_failures": (failures, _failure_columns(failures)),
                "launch_crew": (crew, self._crew_columns(crew, counts)),
            },
        )

    def _place_columns(self, launches: Sequence[Launch], counts: Counts) -> Columns:
        """Rocket and pad."""
        rockets, rocket = self._known["rockets"].resolve([launch.rocket for launch in launches], lambda _: "rocket", counts)
        pads, pad = self._known["launchpads"].resolve([launch.launchpad for launch in launches], lambda _: "launchpad", counts)
        return {"rocket_id": rockets, **rocket, "launchpad_id": pads, **pad}

    def _core_columns(self, cores: Children[CoreUse | None], counts: Counts) -> Columns:
        uses = [use or empty(CoreUse) for use in cores.all]
        core_ids, core = self._known["cores"].resolve([use.core for use in uses], cores.path("cores", ".core"), counts)
        pad_ids, pad = self._known["landpads"].resolve([use.landpad for use in uses], cores.path("cores", ".landpad"), counts)
        return {
            "core_id": core_ids,
            **core,
            "core_flight_number": [use.flight for use in uses],
            "gridfins": [use.gridfins for use in uses],
            "legs": [use.legs for use in uses],
            "reused": [use.reused for use in uses],
            "landing_attempt": [use.landing_attempt for use in uses],
            "landing_success": [use.landing_success for use in uses],
            "landing_type": [use.landing_type for use in uses],
            "landpad_id": pad_ids,
            **pad,
        }

    def _crew_columns(self, crew: Children[Any], counts: Counts) -> Columns:
        people = [getattr(one, "crew", one) for one in crew.all]  # v4 has ids, v5 people in roles
        ids, person = self._known["crew"].resolve(people, crew.path("crew"), counts)
        return {"crew_id": ids, **person, "role": [getattr(one, "role", None) for one in crew.all]}


def _own_columns(launches: Sequence[Launch]) -> Columns:
    """What a launch's record says itself."""
    links = [launch.links or empty(Links) for launch in launches]
    patches = [link.patch or empty(Patch) for link in links]
    reddit = [link.reddit or empty(Reddit) for link in links]
    fairings = [launch.fairings or empty(Fairings) for launch in launches]
    return {
        "launch_id": [launch.id for launch in launches],
        "source": ["spacex"] * len(launches),
        "flight_number": [launch.flight_number for launch in launches],
        "name": [launch.name for launch in launches],
        "date_utc": [launch.date_utc for launch in launches],
        "date_local": [launch.date_local for launch in launches],
        "upcoming": [launch.upcoming for launch in launches],
        "success": [launch.success for launch in launches],
        "status": [_status(launch.upcoming, launch.success) for launch in launches],
        "tbd": [launch.tdb if launch.tbd is None else launch.tbd for launch in launches],
        "net": [launch.net for launch in launches],
        "window_s": [launch.window for launch in launches],
        "static_fire_date_utc": [launch.static_fire_date_utc for launch in launches],
        "has_fairings": [_has_fairings(launch.fairings) for launch in launches],
        "fairings_reused": [fairing.reused for fairing in fairings],
        "fairings_recovery_attempt": [fairing.recovery_attempt for fairing in fairings],
        "fairings_recovered": [fairing.recovered for fairing in fairings],
        "fairings_ship_ids": [_json_ids("fairings.ships", fairing.ships) for fairing in fairings],
        "ship_ids": [_json_ids("ships", launch.ships) for launch in launches],
        "capsule_ids": [_json_ids("capsules", launch.capsules) for launch in launches],
        "details": [launch.details for launch in launches],
        "webcast_url": [link.webcast for link in links],
        "youtube_id": [link.youtube_id for link in links],
        "article_url": [link.article for link in links],
        "wikipedia_url": [link.wikipedia for link in links],
        "presskit_url": [link.presskit for link in links],
        "patch_small_url": [patch.small for patch in patches],
        "patch_large_url": [patch.large for patch in patches],
        "reddit_campaign_url": [thread.campaign for thread in reddit],
        "reddit_launch_url": [thread.launch for thread in reddit],
        "reddit_media_url": [thread.media for thread in reddit],
        "reddit_recovery_url": [thread.recovery for thread in reddit],
        "launch_library_id": [launch.launch_library_id for launch in launches],
        "auto_update": [launch.auto_update for launch in launches],
    }


def _failure_columns(failures: Children[Failure | None]) -> Columns:
    known = [failure or empty(Failure) for failure in failures.all]
    return {
        "time_s": [failure.time for failure in known],
        "altitude_km": [failure.altitude for failure in known],
        "reason": [failure.reason for failure in known],
    }


def _references(launch: Launch) -> Iterator[tuple[str, Any, str]]:
    """The lookups that a launch refers to, each with its kind and its path."""
    for i, use in enumerate(launch.cores or ()):
        if use:
            yield "cores", use.core, f"cores[{i}].core"
            yield "landpads", use.landpad, f"cores[{i}].landpad"
    for i, payload in enumerate(launch.payloads or ()):
        yield "payloads", payload, f"payloads[{i}]"
    for i, person in enumerate(launch.crew or ()):
        yield "crew", getattr(person, "crew", person), f"crew[{i}]"
    yield "rockets", launch.rocket, "rocket"
    yield "launchpads", launch.launchpad, "launchpad"


def _in_role(person: Any, path: str) -> Any:
    """A person in a role as such; v4 has people alone."""
    if isinstance(person, dict) and not person.keys().isdisjoint(CrewUse.model_fields):
        return fit(CrewUse, person, path)
    return person


def _with_id(path: str, key: str | None, facts: Row) -> tuple[str, Row]:
    """A lookup record that launches can name."""
    if key is None:
        raise InvalidField(f"{path}.id", "(no such field)", "is missing")
    return key, facts


def _has_fairings(fairings: Any) -> bool | None:
    """Null says that there are none; an empty object says as little as no field at all."""
    return None if fairings is UNSET else fairings is not None


def _precision(sent: str | None, counts: Counts) -> str | None:
    if sent is None or sent in _PRECISIONS:
        return sent
    counts.notes[f"date_precision {shortened(sent)!r} is not known and left null"] += 1
    return None


def _status(upcoming: bool | None, success: bool | None) -> str:
    """An outcome counts where there is one; without one a past launch is unknown, never a failure."""
    if success is not None:
        return "success" if success else "failure"
    return "upcoming" if upcoming else "unknown"


def _json_ids(path: str, references: list[Any] | None) -> str | None:
    if not references:
        return as_json_array(path, references)
    return as_json_array(path, [id_of(ref, f"{path}[{i}]") for i, ref in enumerate(references)])
