"""How Launch Library 2.3.0's records become canonical rows."""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from ...core.fields import MAX_PARTS, InvalidField, as_json_array
from ...core.model import Checked, Row, Rows, UnreadableRecord
from ..aggregates import core_facts, count, name_unknown_fields, payload_facts
from .models import (
    Agency,
    CrewMember,
    Kind,
    Landing,
    Launch,
    LauncherStage,
    Link,
    Mission,
    Named,
    Payload,
    PayloadFlight,
    Rocket,
    SpacecraftStage,
)

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
    """Turns launch records into rows; each record brings its own lookups along."""

    def __init__(self, source: str, provider_id: int) -> None:
        self._source = source
        self._provider_id = provider_id

    def parse(self, raw: Any, checked: Checked) -> Rows:
        """The rows of one launch. Raises ValidationError or InvalidField when a field does not fit."""
        if isinstance(raw, UnreadableRecord):
            raise InvalidField("", raw.text, raw.reason)
        launch = Launch.model_validate(raw)
        provider = launch.launch_service_provider.id if launch.launch_service_provider else None
        if provider is None:
            checked.notes[f"launch_service_provider is missing; {self._provider_id} was asked for and is believed"] += 1
        elif provider != self._provider_id:  # the API passes over filters that it does not know
            raise InvalidField("launch_service_provider.id", provider, f"must be {self._provider_id}, which was asked for")
        rocket = launch.rocket or Rocket()
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

    def _launch_row(self, launch: Launch, rocket: Rocket, checked: Checked) -> Row:
        status = _known(STATUSES, launch.status, "status", "unknown", checked)
        configuration, pad = rocket.configuration, launch.pad
        location = pad.location if pad else None
        mission = launch.mission or Mission()
        webcast = _webcast(_links(launch.vid_urls, mission.vid_urls))
        pages = [link.url for link in _links(launch.info_urls, mission.info_urls) if link.url]
        patches = [patch.image_url for patch in launch.mission_patches or () if patch and patch.image_url]
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


def _known(names: dict[int, str], kind: Kind | None, field: str, instead: str, checked: Checked) -> str | None:
    """Our name for what an id means; an id that is not known is noted and never guessed at."""
    if kind is None or kind.id is None:
        return None
    if kind.id not in names:
        checked.notes[f"{field} id {kind.id} is not known and left {instead}"] += 1
    return names.get(kind.id)


def _seconds(launch: Launch) -> int | None:
    if launch.window_start is None or launch.window_end is None:
        return None
    return int((launch.window_end - launch.window_start).total_seconds())


def _orbit(launch: Launch) -> str | None:
    orbit = launch.mission.orbit if launch.mission else None
    return None if orbit is None or orbit.id == _UNKNOWN_ORBIT else orbit.abbrev


def _orbits(launch: Launch) -> str | None:
    """The mission's orbit, which is known whether or not payloads are listed."""
    orbit = _orbit(launch)
    return as_json_array("mission.orbit", [orbit]) if _names_something(launch.mission) else None


def _links(*lists: list[Link | None] | None) -> list[Link]:
    return [link for links in lists for link in links or () if link]


def _webcast(links: list[Link]) -> str | None:
    """The first official one, else the first."""
    official = [link.url for link in links if link.url and link.type and link.type.id == _OFFICIAL_WEBCAST]
    return next(iter([*official, *(link.url for link in links if link.url)]), None)


def _cores(launch_id: str, stages: list[LauncherStage | None] | None) -> list[Row] | None:
    return None if stages is None else [_core(launch_id, i, stage or LauncherStage()) for i, stage in enumerate(stages)]


def _core(launch_id: str, position: int, stage: LauncherStage) -> Row:
    launcher, landing = stage.launcher, stage.landing or Landing()
    if launcher and launcher.is_placeholder:  # as "Unknown F9": which one will fly is not known yet
        launcher = None
    pad, kind = landing.landing_location, landing.type
    return {
        "launch_id": launch_id,
        "position": position,
        "core_id": launcher.id if launcher else None,
        "core_serial": launcher.serial_number if launcher else None,
        "core_flight_number": stage.launcher_flight_number,
        "reused": stage.reused,
        "landing_attempt": landing.attempt,
        "landing_success": landing.success,
        "landing_type": kind.abbrev if kind else None,
        "landpad_id": pad.id if pad else None,
        "landpad_name": pad.abbrev if pad else None,
        "landpad_full_name": pad.name if pad else None,
        "landpad_locality": pad.location.name if pad and pad.location else None,
    }


def _payloads(launch_id: str, sent: list[PayloadFlight | None] | None, orbit: str | None) -> list[Row] | None:
    """One row for each payload: a flight of four alike is four payloads, each with the mass of one."""
    if sent is None:
        return None
    flights = [flight or PayloadFlight() for flight in sent]
    amounts = [1 if flight.amount is None else flight.amount for flight in flights]
    if sum(amounts) > MAX_PARTS:
        raise InvalidField("rocket.payloads", sum(amounts), f"must be at most {MAX_PARTS} payloads")
    places = [place for place, amount in enumerate(amounts) for _ in range(amount)]
    return [
        _payload(launch_id, position, f"rocket.payloads[{place}].payload", flights[place].payload, orbit)
        for position, place in enumerate(places)
    ]


def _payload(launch_id: str, position: int, path: str, payload: Payload | None, orbit: str | None) -> Row:
    operator, maker, kind = (payload.operator, payload.manufacturer, payload.type) if payload else (None, None, None)
    countries = operator.country if operator else None
    return {
        "launch_id": launch_id,
        "position": position,
        "payload_id": payload.id if payload else None,
        "name": payload.name if payload else None,
        "type": kind.name if kind else None,
        "customers": _names(f"{path}.operator", [operator] if _names_something(operator) else None),
        "nationalities": _names(f"{path}.operator.country", countries),
        "manufacturers": _names(f"{path}.manufacturer", [maker] if _names_something(maker) else None),
        "mass_kg": payload.mass if payload else None,
        "orbit": orbit,
    }


def _names_something(part: BaseModel | None) -> bool:
    return part is not None and bool(part.model_fields_set)


def _names(path: str, things: Sequence[Agency | Named | None] | None) -> str | None:
    return as_json_array(path, None if things is None else [thing.name for thing in things if thing])


def _capsules(stages: list[SpacecraftStage | None] | None) -> str | None:
    if stages is None:
        return None
    ids = [s.spacecraft.id for s in stages if s and s.spacecraft and not s.spacecraft.is_placeholder]
    return as_json_array("rocket.spacecraft_stage", ids)


def _crew(launch_id: str, stages: list[SpacecraftStage | None] | None) -> list[Row] | None:
    if stages is None or any(stage is None or stage.launch_crew is None for stage in stages):
        return None
    members = [member or CrewMember() for stage in stages if stage for member in stage.launch_crew or ()]
    if len(members) > MAX_PARTS:
        raise InvalidField("rocket.spacecraft_stage", len(members), f"must have a crew of at most {MAX_PARTS}")
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
