"""How Launch Library 2.3.0's records become canonical rows.

Facts come from its documentation and from recorded answers. Of its three modes `detailed` has everything below; `normal` lacks
boosters, payloads, crew and links, whose columns are then null. Ids of everything but launches are numbers.
"""

import re
from typing import Annotated, Any

from pydantic import BaseModel, Field

from app.core.fields import Flag, Integer, Key, Label, NumberKey, Prose, Real, Text, Time, Unfit, as_json_array
from app.core.model import Checked, Rejected, Row, Rows, Unreadable
from app.sources.aggregates import Record, core_facts, count, name_unknown_fields, payload_facts

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
_MOST_ALIKE = 1000  # payloads of one kind on one launch

_YOUTUBE = re.compile(
    r"https?://(?:(?:www\.|m\.)?youtube\.com/(?:watch\?(?:[^#]*&)?v=|live/)|youtu\.be/)([A-Za-z0-9_-]{11})(?![A-Za-z0-9_-])"
)
_WIKIPEDIA = re.compile(r"https?://(?:[a-z0-9-]+\.)*wikipedia\.org/")


class _Part(BaseModel):
    """Something that a launch refers to; what the tables have no column for is not read."""


class _Kind(_Part):
    id: Integer


class _Named(_Part):
    name: Label | None = None


class _Agency(_Named):
    country: list[_Named] | None = None


class _Configuration(_Named):
    id: NumberKey


class _Launcher(_Part):
    id: NumberKey
    serial_number: Label | None = None
    is_placeholder: Flag | None = None


class _Location(_Named):
    timezone_name: Label | None = None


class _LandingLocation(_Named):
    id: NumberKey
    abbrev: Label | None = None
    location: _Location | None = None


class _LandingType(_Part):
    abbrev: Label | None = None


class _Landing(Record):
    id: Any = None
    url: Any = None
    attempt: Flag | None = None
    success: Flag | None = None
    description: Any = None
    downrange_distance: Any = None
    landing_location: _LandingLocation | None = None
    type: _LandingType | None = None


class _LauncherStage(Record):
    id: Any = None
    type: Any = None
    reused: Flag | None = None
    launcher_flight_number: Integer | None = None
    launcher: _Launcher | None = None
    landing: _Landing | None = None
    previous_flight_date: Any = None
    turn_around_time: Any = None
    previous_flight: Any = None


class _Payload(_Named):
    id: NumberKey
    type: _Named | None = None
    manufacturer: _Agency | None = None
    operator: _Agency | None = None
    mass: Real | None = None


class _PayloadFlight(Record):
    response_mode: Any = None
    id: Any = None
    url: Any = None
    destination: Any = None
    amount: Annotated[int, Field(strict=True, ge=0, le=_MOST_ALIKE)] | None = None
    payload: _Payload | None = None
    landing: Any = None
    docking_events: Any = None


class _Role(_Part):
    role: Label | None = None


class _Astronaut(_Named):
    id: NumberKey


class _CrewMember(Record):
    id: Any = None
    role: _Role | None = None
    astronaut: _Astronaut | None = None


class _Spacecraft(_Part):
    id: NumberKey
    is_placeholder: Flag | None = None


class _SpacecraftStage(Record):
    response_mode: Any = None
    id: Any = None
    url: Any = None
    destination: Any = None
    mission_end: Any = None
    spacecraft: _Spacecraft | None = None
    landing: Any = None
    duration: Any = None
    turn_around_time: Any = None
    launch_crew: list[_CrewMember] | None = None
    onboard_crew: Any = None
    landing_crew: Any = None
    docking_events: Any = None


class _Rocket(Record):
    id: Any = None
    configuration: _Configuration | None = None
    launcher_stage: list[_LauncherStage] | None = None
    spacecraft_stage: list[_SpacecraftStage] | None = None
    payloads: list[_PayloadFlight] | None = None


class _Orbit(_Part):
    id: Integer | None = None
    abbrev: Label | None = None


class _Link(_Part):
    url: Text | None = None
    type: _Kind | None = None


class _Mission(Record):
    id: Any = None
    name: Label | None = None
    type: Any = None
    description: Prose | None = None
    image: Any = None
    orbit: _Orbit | None = None
    agencies: Any = None
    info_urls: list[_Link] | None = None
    vid_urls: list[_Link] | None = None


class _Pad(_Named):
    id: NumberKey
    latitude: Real | None = None
    longitude: Real | None = None
    location: _Location | None = None


class _Patch(_Part):
    image_url: Text | None = None


class _Launch(Record):
    id: Key
    url: Any = None
    name: Label | None = None
    response_mode: Any = None
    slug: Any = None
    launch_designator: Any = None
    status: _Kind | None = None
    last_updated: Any = None
    net: Time
    net_precision: _Kind | None = None
    window_end: Time | None = None
    window_start: Time | None = None
    image: Any = None
    infographic: Any = None
    probability: Any = None
    weather_concerns: Any = None
    failreason: Prose | None = None
    hashtag: Any = None
    launch_service_provider: _Kind | None = None
    rocket: _Rocket | None = None
    mission: _Mission | None = None
    pad: _Pad | None = None
    webcast_live: Any = None
    program: Any = None
    orbital_launch_attempt_count: Any = None
    location_launch_attempt_count: Any = None
    pad_launch_attempt_count: Any = None
    agency_launch_attempt_count: Integer | None = None
    orbital_launch_attempt_count_year: Any = None
    location_launch_attempt_count_year: Any = None
    pad_launch_attempt_count_year: Any = None
    agency_launch_attempt_count_year: Any = None
    flightclub_url: Any = None
    updates: Any = None
    info_urls: list[_Link] | None = None
    vid_urls: list[_Link] | None = None
    timeline: Any = None
    pad_turnaround: Any = None
    mission_patches: list[_Patch] | None = None


class LaunchLibraryParser:
    """Turns launch records into rows; each record brings its own look-ups along."""

    def __init__(self, source: str, provider_id: int) -> None:
        self.rejected: list[Rejected] = []
        self._source = source
        self._provider_id = provider_id

    def parse(self, raw: Any, checked: Checked) -> Rows:
        """The rows of one launch. Raises ValidationError or Unfit when a field does not fit."""
        if isinstance(raw, Unreadable):
            raise Unfit("", raw.text, raw.reason)
        launch = _Launch.model_validate(raw)
        provider = launch.launch_service_provider.id if launch.launch_service_provider else None
        if provider != self._provider_id:  # the API passes over filters that it does not know
            raise Unfit("launch_service_provider.id", provider, f"launches of provider {self._provider_id} were asked for")
        rocket = launch.rocket or _Rocket()
        cores = _cores(launch.id, rocket.launcher_stage)
        payloads = _payloads(launch.id, rocket.payloads, _orbit(launch))
        crew = _crew(launch.id, rocket.spacecraft_stage)
        reason = launch.failreason
        failures = [{"launch_id": launch.id, "position": 0, "reason": reason}] if reason else []  # "" is none
        row = self._launch_row(launch, rocket, checked)
        row |= payload_facts(payloads) | core_facts(cores)
        row |= {"crew_count": count(crew), "orbits": _orbits(launch)}
        name_unknown_fields(launch, checked)
        return {
            "launches": [row],
            "launch_cores": cores or [],
            "launch_payloads": payloads or [],
            "launch_failures": failures,
            "launch_crew": crew or [],
        }

    def _launch_row(self, launch: _Launch, rocket: _Rocket, checked: Checked) -> Row:
        status = _known(STATUSES, launch.status, "status", "unknown", checked)
        configuration, pad = rocket.configuration, launch.pad
        location = pad.location if pad else None
        mission = launch.mission or _Mission()
        webcast = _webcast([*(launch.vid_urls or ()), *(mission.vid_urls or ())])
        pages = [link.url for link in (*(launch.info_urls or ()), *(mission.info_urls or ())) if link.url]
        patches = [patch.image_url for patch in launch.mission_patches or () if patch.image_url]
        return {
            "launch_id": launch.id,
            "source": self._source,
            "flight_number": launch.agency_launch_attempt_count,
            "name": launch.name if mission.name is None else mission.name,
            "date_utc": launch.net,
            "date_precision": _known(PRECISIONS, launch.net_precision, "net_precision", "null", checked),
            "upcoming": None if status is None else status == "upcoming",
            "success": _SUCCESS.get(status or ""),
            "status": status or "unknown",
            "tbd": None if status is None or launch.status is None else launch.status.id == _TO_BE_DETERMINED,
            "window_s": _seconds(launch),
            "rocket_id": configuration.id if configuration else None,
            "rocket_name": configuration.name if configuration else None,
            "launchpad_id": pad.id if pad else None,
            "launchpad_name": pad.name if pad else None,
            "launchpad_locality": location.name if location else None,
            "launchpad_timezone": location.timezone_name if location else None,
            "launchpad_latitude": pad.latitude if pad else None,
            "launchpad_longitude": pad.longitude if pad else None,
            "capsule_ids": _capsules(rocket.spacecraft_stage),
            "details": mission.description,
            "webcast_url": webcast,
            "youtube_id": found[1] if webcast and (found := _YOUTUBE.match(webcast)) else None,
            "article_url": next((url for url in pages if not _WIKIPEDIA.match(url)), None),
            "wikipedia_url": next((url for url in pages if _WIKIPEDIA.match(url)), None),
            "patch_large_url": patches[0] if patches else None,
            "launch_library_id": launch.id,
        }


def _known(names: dict[int, str], kind: _Kind | None, field: str, instead: str, checked: Checked) -> str | None:
    """Our name for what an id means; an id that is not known is noted and never guessed at."""
    if kind is None:
        return None
    if kind.id not in names:
        checked.notes[f"{field} id {kind.id} is not known and left {instead}"] += 1
    return names.get(kind.id)


def _seconds(launch: _Launch) -> int | None:
    if launch.window_start is None or launch.window_end is None:
        return None
    return int((launch.window_end - launch.window_start).total_seconds())


def _orbit(launch: _Launch) -> str | None:
    orbit = launch.mission.orbit if launch.mission else None
    return None if orbit is None or orbit.id == _UNKNOWN_ORBIT else orbit.abbrev


def _orbits(launch: _Launch) -> str | None:
    """The mission's orbit, told whether or not payloads are listed."""
    orbit = _orbit(launch)
    return None if launch.mission is None else as_json_array("mission.orbit", [] if orbit is None else [orbit])


def _webcast(links: list[_Link]) -> str | None:
    """The first official one, else the first."""
    official = [link.url for link in links if link.url and link.type and link.type.id == _OFFICIAL_WEBCAST]
    return next(iter([*official, *(link.url for link in links if link.url)]), None)


def _cores(launch_id: str, stages: list[_LauncherStage] | None) -> list[Row] | None:
    return None if stages is None else [_core(launch_id, i, stage) for i, stage in enumerate(stages)]


def _core(launch_id: str, position: int, stage: _LauncherStage) -> Row:
    launcher, landing = stage.launcher, stage.landing or _Landing()
    if launcher and launcher.is_placeholder:  # as "Unknown F9": which one will fly is not known yet
        launcher = None
    pad, kind = landing.landing_location, landing.type
    return {
        "launch_id": launch_id,
        "position": position,
        "core_id": launcher.id if launcher else None,
        "core_serial": launcher.serial_number if launcher else None,
        "flight_number": stage.launcher_flight_number,
        "reused": stage.reused,
        "landing_attempt": landing.attempt,
        "landing_success": landing.success,
        "landing_type": kind.abbrev if kind else None,
        "landpad_id": pad.id if pad else None,
        "landpad_name": pad.abbrev if pad else None,
        "landpad_full_name": pad.name if pad else None,
        "landpad_locality": pad.location.name if pad and pad.location else None,
    }


def _payloads(launch_id: str, flights: list[_PayloadFlight] | None, orbit: str | None) -> list[Row] | None:
    """One row for each payload: a flight of four alike is four payloads, each with the mass of one."""
    if flights is None:
        return None
    amounts = [1 if flight.amount is None else flight.amount for flight in flights]
    places = [place for place, amount in enumerate(amounts) for _ in range(amount)]
    return [
        _payload(launch_id, position, f"rocket.payloads[{place}].payload", flights[place].payload, orbit)
        for position, place in enumerate(places)
    ]


def _payload(launch_id: str, position: int, path: str, payload: _Payload | None, orbit: str | None) -> Row:
    operator, maker, kind = (payload.operator, payload.manufacturer, payload.type) if payload else (None, None, None)
    countries = operator.country if operator else None
    return {
        "launch_id": launch_id,
        "position": position,
        "payload_id": payload.id if payload else None,
        "name": payload.name if payload else None,
        "type": kind.name if kind else None,
        "customers": _names(f"{path}.operator", [operator] if operator else None),
        "nationalities": _names(f"{path}.operator.country", countries),
        "manufacturers": _names(f"{path}.manufacturer", [maker] if maker else None),
        "mass_kg": payload.mass if payload else None,
        "orbit": orbit,
    }


def _names(path: str, things: list[_Agency] | list[_Named] | None) -> str | None:
    return as_json_array(path, None if things is None else [thing.name for thing in things if thing.name is not None])


def _capsules(stages: list[_SpacecraftStage] | None) -> str | None:
    if stages is None:
        return None
    ids = [s.spacecraft.id for s in stages if s.spacecraft and not s.spacecraft.is_placeholder]
    return as_json_array("rocket.spacecraft_stage", ids)


def _crew(launch_id: str, stages: list[_SpacecraftStage] | None) -> list[Row] | None:
    if stages is None or any(stage.launch_crew is None for stage in stages):
        return None
    members = [member for stage in stages for member in stage.launch_crew or ()]
    return [
        {
            "launch_id": launch_id,
            "position": i,
            "crew_id": m.astronaut.id if m.astronaut else None,
            "name": m.astronaut.name if m.astronaut else None,
            "role": m.role.role if m.role else None,
        }
        for i, m in enumerate(members)
    ]
