"""How the parts of a Launch Library record, cores, payloads and crew, become columns."""

from collections.abc import Sequence
from typing import Any, TypeVar

from msgspec import UNSET

from ...core.columns import Children, Columns
from ...core.fields import MAX_PARTS, InvalidField, as_json_array
from ..aggregates import empty
from .models import (
    Agency,
    Astronaut,
    CrewMember,
    Landing,
    LandingLocation,
    LandingType,
    Launcher,
    LauncherStage,
    Named,
    Payload,
    PayloadFlight,
    Spacecraft,
    SpacecraftStage,
)

_Vehicle = TypeVar("_Vehicle", Launcher, Spacecraft)


def core_columns(cores: Children[LauncherStage | None]) -> Columns:
    """What each core's stage says of it, its flight and its landing."""
    stages = [stage or empty(LauncherStage) for stage in cores.all]
    launchers = [_sure(stage.launcher) or empty(Launcher) for stage in stages]
    landings = [stage.landing or empty(Landing) for stage in stages]
    kinds = [landing.type or empty(LandingType) for landing in landings]
    pads = [landing.landing_location or empty(LandingLocation) for landing in landings]
    return {
        "core_id": [key_of(launcher.id) for launcher in launchers],
        "core_serial": [launcher.serial_number for launcher in launchers],
        "core_flight_number": [stage.launcher_flight_number for stage in stages],
        "reused": [stage.reused for stage in stages],
        "landing_attempt": [landing.attempt for landing in landings],
        "landing_success": [landing.success for landing in landings],
        "landing_type": [kind.abbrev for kind in kinds],
        "landpad_id": [key_of(pad.id) for pad in pads],
        "landpad_name": [pad.abbrev for pad in pads],
        "landpad_full_name": [pad.name for pad in pads],
        "landpad_locality": [pad.location.name if pad.location else None for pad in pads],
    }


def each_payload(sent: list[PayloadFlight | None] | None) -> list[tuple[int, Payload]] | None:
    """The payloads, each with its flight's place: a flight of four alike is four payloads, each with the mass of one."""
    if sent is None:
        return None
    flights = [flight or empty(PayloadFlight) for flight in sent]
    amounts = [1 if flight.amount is None else flight.amount for flight in flights]
    if sum(amounts) > MAX_PARTS:
        raise InvalidField("rocket.payloads", sum(amounts), f"must be at most {MAX_PARTS} payloads")
    return [
        (place, flight.payload or empty(Payload))
        for place, (flight, amount) in enumerate(zip(flights, amounts, strict=True))
        for _ in range(amount)
    ]


def payload_columns(payloads: Children[tuple[int, Payload]], orbits: list[str | None]) -> Columns:
    """What each payload's flight says of it; its orbit is its mission's."""
    kinds = [payload.type or empty(Named) for _, payload in payloads.all]
    countries = [payload.operator.country if payload.operator else None for _, payload in payloads.all]
    return {
        "payload_id": [key_of(payload.id) for _, payload in payloads.all],
        "name": [payload.name for _, payload in payloads.all],
        "type": [kind.name for kind in kinds],
        "customers": [_names(place, "operator", _one(payload.operator)) for place, payload in payloads.all],
        "nationalities": [
            _names(place, "operator.country", names) for (place, _), names in zip(payloads.all, countries, strict=True)
        ],
        "manufacturers": [_names(place, "manufacturer", _one(payload.manufacturer)) for place, payload in payloads.all],
        "mass_kg": [payload.mass for _, payload in payloads.all],
        "orbit": orbits,
    }


def crew_of(stages: list[SpacecraftStage | None] | None) -> list[CrewMember] | None:
    """Who was on board; None where that is not known of a spacecraft. Raises InvalidField when they are too many."""
    if stages is None or any(stage is None or stage.launch_crew is None for stage in stages):
        return None
    members = [member or empty(CrewMember) for stage in stages if stage for member in stage.launch_crew or ()]
    if len(members) > MAX_PARTS:
        raise InvalidField("rocket.spacecraft_stage", len(members), f"must have a crew of at most {MAX_PARTS}")
    return members


def crew_columns(crew: Children[CrewMember]) -> Columns:
    """Who each member of the crew is, and in which role."""
    people = [member.astronaut or empty(Astronaut) for member in crew.all]
    return {
        "crew_id": [key_of(person.id) for person in people],
        "name": [person.name for person in people],
        "role": [member.role.role if member.role else None for member in crew.all],
    }


def capsules(stages: list[SpacecraftStage | None] | None) -> str | None:
    """The ids of the spacecraft, as the text of a JSON array."""
    if stages is None:
        return None
    craft = [_sure(stage.spacecraft) for stage in stages if stage]
    return as_json_array("rocket.spacecraft_stage", [key_of(one.id) for one in craft if one])


def key_of(number: Any) -> str | None:
    """A number as the text of a key."""
    return None if number is None else str(number)


def is_there(part: Any) -> bool:
    """Whether a field has a value: it may be null, or missing."""
    return part is not None and part is not UNSET


def _sure(vehicle: _Vehicle | None) -> _Vehicle | None:
    """None for a placeholder, as "Unknown F9": which one will fly is not known yet."""
    return None if vehicle is None or vehicle.is_placeholder else vehicle


def _one(agency: Agency | None) -> list[Agency] | None:
    return [agency] if agency is not None and is_there(agency) else None


def _names(place: int, field: str, things: Sequence[Agency | Named | None] | None) -> str | None:
    path = f"rocket.payloads[{place}].payload.{field}"
    return as_json_array(path, None if things is None else [thing.name for thing in things if thing])
