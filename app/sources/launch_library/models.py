"""The records of Launch Library 2.3.0 as pydantic models.

Facts come from its documentation and from recorded answers. Of its three modes `detailed` has everything below; `normal` lacks
boosters, payloads, crew and links, whose columns are then null. Ids of everything but launches are numbers.
"""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from ...core.fields import Flag, Integer, Key, Label, NumberKey, Prose, Real, Text, Time
from ..aggregates import Record

_MOST_ALIKE = 1000  # payloads of one kind on one launch


class Part(BaseModel):
    """Something that a launch refers to; what the tables have no column for is not read."""


class Kind(Part):
    id: Integer


class Named(Part):
    name: Label | None = None


class Agency(Named):
    country: list[Named] | None = None


class Configuration(Named):
    id: NumberKey


class Launcher(Part):
    id: NumberKey
    serial_number: Label | None = None
    is_placeholder: Flag | None = None


class Location(Named):
    timezone_name: Label | None = None


class LandingLocation(Named):
    id: NumberKey
    abbrev: Label | None = None
    location: Location | None = None


class LandingType(Part):
    abbrev: Label | None = None


class Landing(Record):
    id: Any = None
    url: Any = None
    attempt: Flag | None = None
    success: Flag | None = None
    description: Any = None
    downrange_distance: Any = None
    landing_location: LandingLocation | None = None
    type: LandingType | None = None


class LauncherStage(Record):
    id: Any = None
    type: Any = None
    reused: Flag | None = None
    launcher_flight_number: Integer | None = None
    launcher: Launcher | None = None
    landing: Landing | None = None
    previous_flight_date: Any = None
    turn_around_time: Any = None
    previous_flight: Any = None


class Payload(Named):
    id: NumberKey
    type: Named | None = None
    manufacturer: Agency | None = None
    operator: Agency | None = None
    mass: Real | None = None


class PayloadFlight(Record):
    response_mode: Any = None
    id: Any = None
    url: Any = None
    destination: Any = None
    amount: Annotated[int, Field(strict=True, ge=0, le=_MOST_ALIKE)] | None = None
    payload: Payload | None = None
    landing: Any = None
    docking_events: Any = None


class Role(Part):
    role: Label | None = None


class Astronaut(Named):
    id: NumberKey


class CrewMember(Record):
    id: Any = None
    role: Role | None = None
    astronaut: Astronaut | None = None


class Spacecraft(Part):
    id: NumberKey
    is_placeholder: Flag | None = None


class SpacecraftStage(Record):
    response_mode: Any = None
    id: Any = None
    url: Any = None
    destination: Any = None
    mission_end: Any = None
    spacecraft: Spacecraft | None = None
    landing: Any = None
    duration: Any = None
    turn_around_time: Any = None
    launch_crew: list[CrewMember] | None = None
    onboard_crew: Any = None
    landing_crew: Any = None
    docking_events: Any = None


class Rocket(Record):
    id: Any = None
    configuration: Configuration | None = None
    launcher_stage: list[LauncherStage] | None = None
    spacecraft_stage: list[SpacecraftStage] | None = None
    payloads: list[PayloadFlight] | None = None


class Orbit(Part):
    id: Integer | None = None
    abbrev: Label | None = None


class Link(Part):
    url: Text | None = None
    type: Kind | None = None


class Mission(Record):
    id: Any = None
    name: Label | None = None
    type: Any = None
    description: Prose | None = None
    image: Any = None
    orbit: Orbit | None = None
    agencies: Any = None
    info_urls: list[Link] | None = None
    vid_urls: list[Link] | None = None


class Pad(Named):
    id: NumberKey
    latitude: Real | None = None
    longitude: Real | None = None
    location: Location | None = None


class Patch(Part):
    image_url: Text | None = None


class Launch(Record):
    id: Key
    url: Any = None
    name: Label | None = None
    response_mode: Any = None
    slug: Any = None
    launch_designator: Any = None
    status: Kind | None = None
    last_updated: Any = None
    net: Time
    net_precision: Kind | None = None
    window_end: Time | None = None
    window_start: Time | None = None
    image: Any = None
    infographic: Any = None
    probability: Any = None
    weather_concerns: Any = None
    failreason: Prose | None = None
    hashtag: Any = None
    launch_service_provider: Kind | None = None
    rocket: Rocket | None = None
    mission: Mission | None = None
    pad: Pad | None = None
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
    info_urls: list[Link] | None = None
    vid_urls: list[Link] | None = None
    timeline: Any = None
    pad_turnaround: Any = None
    mission_patches: list[Patch] | None = None
