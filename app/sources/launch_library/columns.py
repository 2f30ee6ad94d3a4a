"""How Launch Library 2.3.0's records become columns of the canonical tables."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...core.columns import Children, Columns, Counts, tables_of
from ...core.fields import InvalidField, as_json_array
from ...core.model import Checked
from ..aggregates import core_facts, empty, name_unknown_fields, payload_facts
from ..structs import Reader, as_struct
from .models import (
    Configuration,
    Kind,
    Launch,
    Link,
    Location,
    Mission,
    Pad,
    Rocket,
)
from .parts import capsules, core_columns, crew_columns, crew_of, each_payload, is_there, key_of, payload_columns

STATUSES = {
    1: "upcoming",  # go
    2: "upcoming",  # to be determined
    3: "success",
    4: "failure",
    5: "upcoming",  # hold
    6: "in_flight",
    7: "partial_failure",
    8: "upcoming",  # to be confirmed
    9: "in_flight",  # payload deployed
}
_SUCCESS = {"success": True, "failure": False, "partial_failure": False}
_TO_BE_DETERMINED = 2

PRECISIONS = {
    0: "second",
    1: "minute",
    2: "hour",
    3: "day",  # morning
    4: "day",  # afternoon
    5: "day",
    6: "week",
    7: "month",
    **dict.fromkeys((8, 9, 10, 11), "quarter"),
    **dict.fromkeys((12, 13), "half"),
    14: "year",
    15: "year",  # fiscal year
}
_UNKNOWN_ORBIT = 25
_OFFICIAL_WEBCAST = 1

_YOUTUBE = re.compile(
    r"https?://(?:(?:www\.|m\.)?youtube\.com/(?:watch\?(?:[^#]*&)?v=|live/)|youtu\.be/)([A-Za-z0-9_-]{11})(?![A-Za-z0-9_-])"
)
_WIKIPEDIA = re.compile(r"https?://(?:[a-z0-9-]+\.)*wikipedia\.org/")


class LaunchLibraryParser:
    """Turns launch records into columns; each record brings its own lookups along."""

    def __init__(self, source: str, provider_id: int) -> None:
        self._source = source
        self._provider_id = provider_id
        self._launches = Reader(Launch)

    def read(self, record: Any) -> tuple[Launch, Counter[str]]:
        """One launch, and the fields that the models do not declare. Raises ValidationError or InvalidField."""
        checked = Checked()
        launch = self._launches.sure(record)
        if launch is None:
            model = self._launches.careful(record)
            name_unknown_fields(model, checked)
            launch = as_struct(model)
        provider = launch.launch_service_provider.id if launch.launch_service_provider else None
        if provider not in (None, self._provider_id):  # the API passes over filters that it does not know
            raise InvalidField("launch_service_provider.id", provider, f"must be {self._provider_id}, which was asked for")
        return launch, checked.unknown_fields

    def tables(self, launches: Sequence[Launch], counts: Counts) -> dict[str, pa.Table]:
        """The rows of some launches by table. Raises InvalidField and TooMuch."""
        rockets = [launch.rocket or empty(Rocket) for launch in launches]
        cores = Children([rocket.launcher_stage for rocket in rockets], counts)
        payloads = Children([each_payload(rocket.payloads) for rocket in rockets], counts)
        crew = Children([crew_of(rocket.spacecraft_stage) for rocket in rockets], counts)
        failures = Children([[launch.failreason] if launch.failreason else [] for launch in launches], counts)  # "" is none
        of_cores = core_columns(cores)
        orbits = [_orbit(launch) for launch in launches]
        of_payloads = payload_columns(payloads, [orbits[place] for place in payloads.launches])
        row = {
            **self._own_columns(launches, counts),
            **_place_columns(launches, rockets),
            **_link_columns(launches),
            **payload_facts(payloads, of_payloads),
            **core_facts(cores, of_cores),
            "crew_count": crew.count,
            # The mission's orbit is known whether or not payloads are listed.
            "orbits": [
                as_json_array("mission.orbit", [orbit]) if is_there(launch.mission) else None
                for launch, orbit in zip(launches, orbits, strict=True)
            ],
        }
        return tables_of(
            row,
            {
                "launch_cores": (cores, of_cores),
                "launch_payloads": (payloads, of_payloads),
                "launch_failures": (failures, {"reason": failures.all}),
                "launch_crew": (crew, crew_columns(crew)),
            },
        )

    def _own_columns(self, launches: Sequence[Launch], counts: Counts) -> Columns:
        """What a launch's record says itself."""
        for launch in launches:
            if launch.launch_service_provider is None or launch.launch_service_provider.id is None:
                counts.notes[f"launch_service_provider is missing; {self._provider_id} was asked for and is believed"] += 1
        missions = [launch.mission or empty(Mission) for launch in launches]
        status = [_known(STATUSES, launch.status, "status", "unknown", counts) for launch in launches]
        return {
            "launch_id": [launch.id for launch in launches],
            "source": [self._source] * len(launches),
            "flight_number": [launch.agency_launch_attempt_count for launch in launches],
            "name": [
                launch.name if mission.name is None else mission.name for launch, mission in zip(launches, missions, strict=True)
            ],
            "date_utc": [launch.net for launch in launches],
            "date_precision": [_known(PRECISIONS, launch.net_precision, "net_precision", "null", counts) for launch in launches],
            "upcoming": [None if known is None else known == "upcoming" for known in status],
            "success": [_SUCCESS.get(known or "") for known in status],
            "status": [known or "unknown" for known in status],
            "tbd": [
                None if known is None or launch.status is None else launch.status.id == _TO_BE_DETERMINED
                for launch, known in zip(launches, status, strict=True)
            ],
            "window_s": _seconds(launches),
            "details": [mission.description for mission in missions],
            "launch_library_id": [launch.id for launch in launches],
        }


def _place_columns(launches: Sequence[Launch], rockets: Sequence[Rocket]) -> Columns:
    """Rocket, capsule and pad."""
    configurations = [rocket.configuration or empty(Configuration) for rocket in rockets]
    pads = [launch.pad or empty(Pad) for launch in launches]
    locations = [pad.location or empty(Location) for pad in pads]
    return {
        "rocket_id": [key_of(configuration.id) for configuration in configurations],
        "rocket_name": [configuration.name for configuration in configurations],
        "launchpad_id": [key_of(pad.id) for pad in pads],
        "launchpad_name": [pad.name for pad in pads],
        "launchpad_locality": [location.name for location in locations],
        "launchpad_timezone": [location.timezone_name for location in locations],
        "launchpad_latitude": [pad.latitude for pad in pads],
        "launchpad_longitude": [pad.longitude for pad in pads],
        "capsule_ids": [capsules(rocket.spacecraft_stage) for rocket in rockets],
    }


def _link_columns(launches: Sequence[Launch]) -> Columns:
    missions = [launch.mission or empty(Mission) for launch in launches]
    both = list(zip(launches, missions, strict=True))
    webcasts = [_webcast(_links(launch.vid_urls, mission.vid_urls)) for launch, mission in both]
    pages = [[link.url for link in _links(launch.info_urls, mission.info_urls) if link.url] for launch, mission in both]
    patches = [[patch.image_url for patch in launch.mission_patches or () if patch] for launch in launches]
    return {
        "webcast_url": webcasts,
        "youtube_id": [found[1] if webcast and (found := _YOUTUBE.match(webcast)) else None for webcast in webcasts],
        "article_url": [next((url for url in urls if not _WIKIPEDIA.match(url)), None) for urls in pages],
        "wikipedia_url": [next((url for url in urls if _WIKIPEDIA.match(url)), None) for urls in pages],
        "patch_large_url": [next(filter(None, urls), None) for urls in patches],
    }


def _known(names: dict[int, str], kind: Kind | None, field: str, instead: str, counts: Counts) -> str | None:
    """Our name for what an id means; an id that is not known is noted and never guessed at."""
    if kind is None or kind.id is None:
        return None
    if kind.id not in names:
        counts.notes[f"{field} id {kind.id} is not known and left {instead}"] += 1
    return names.get(kind.id)


def _seconds(launches: Sequence[Launch]) -> pa.Array:
    """How long the window is open, in whole seconds, cut towards zero."""
    start, end = (
        pa.array(times, pa.string()).cast(pa.timestamp("us", "UTC"))
        for times in ([launch.window_start for launch in launches], [launch.window_end for launch in launches])
    )
    return pc.divide(pc.subtract(end, start).cast(pa.int64()), 1_000_000)


def _orbit(launch: Launch) -> str | None:
    orbit = launch.mission.orbit if launch.mission else None
    return None if orbit is None or orbit.id == _UNKNOWN_ORBIT else orbit.abbrev


def _links(*lists: list[Link | None] | None) -> list[Link]:
    return [link for links in lists for link in links or () if link]


def _webcast(links: list[Link]) -> str | None:
    """The first official one, else the first."""
    official = [link.url for link in links if link.url and link.type and link.type.id == _OFFICIAL_WEBCAST]
    return next(iter([*official, *(link.url for link in links if link.url)]), None)
