"""The records of Launch Library 2.3.0 as pydantic models.

Facts come from its documentation and from recorded answers. Of its three modes `detailed` has everything below; `normal` lacks
boosters, payloads, crew and links, whose columns are then null. Ids of everything but launches are numbers, and
may be missing, as any other part may: what names nothing is null.
"""

from typing import Any, ClassVar

from pydantic import BaseModel

from ...core.fields import Amount, Flag, Integer, Key, Label, NumberKey, Parts, Prose, Real, Text, Time
from ..aggregates import Record


class Part(BaseModel):
    """Something that a launch refers to; what the tables have no column for is not read."""


class Kind(Part):
    id: Integer | None = None


class Named(Part):
    name: Label | None = None


class Agency(Named):
    presence_counts: ClassVar = True  # an agency without a name is an empty list, none is null

    country: Parts[Named] | None = None


class Configuration(Named):
    id: NumberKey | None = None


class Launcher(Part):
    id: NumberKey | None = None
    serial_number: Label | None = None
    is_placeholder: Flag | None = None


class Location(Named):
    timezone_name: Label | None = None


class LandingLocation(Named):
    id: NumberKey | None = None
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
    id: NumberKey | None = None
    type: Named | None = None
    manufacturer: Agency | None = None
    operator: Agency | None = None
    mass: Real | None = None


class PayloadFlight(Record):
    response_mode: Any = None
    id: Any = None
    url: Any = None
    destination: Any = None
    amount: Amount | None = None
    payload: Payload | None = None
    landing: Any = None
    docking_events: Any = None


class Role(Part):
    role: Label | None = None


class Astronaut(Named):
    id: NumberKey | None = None


class CrewMember(Record):
    id: Any = None
    role: Role | None = None
    astronaut: Astronaut | None = None


class Spacecraft(Part):
    id: NumberKey | None = None
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
    launch_crew: Parts[CrewMember] | None = None
    onboard_crew: Any = None
    landing_crew: Any = None
    docking_events: Any = None


class Rocket(Record):
    id: Any = None
    configuration: Configuration | None = None
    launcher_stage: Parts[LauncherStage] | None = None
    spacecraft_stage: Parts[SpacecraftStage] | None = None
    payloads: Parts[PayloadFlight] | None = None


class Orbit(Part):
    id: Integer | None = None
    abbrev: Label | None = None


class Link(Part):
    url: Text | None = None
    type: Kind | None = None


class Mission(Record):
    presence_counts: ClassVar = True  # without an orbit its orbits are an empty list, without a mission they are null

    id: Any = None
    name: Label | None = None
    type: Any = None
    description: Prose | None = None
    image: Any = None
    orbit: Orbit | None = None
    agencies: Any = None
    info_urls: Parts[Link] | None = None
    vid_urls: Parts[Link] | None = None


class Pad(Named):
    id: NumberKey | None = None
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
    info_urls: Parts[Link] | None = None
    vid_urls: Parts[Link] | None = None
    timeline: Any = None
    pad_turnaround: Any = None
    mission_patches: Parts[Patch] | None = None
