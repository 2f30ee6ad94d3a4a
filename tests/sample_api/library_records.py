"""The same facts as Launch Library 2.3.0 would tell them: each launch with all that belongs to it, ids as numbers."""

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from tests.sample_api.records import Record, lookups

SPACEX = 121
_SITE = "https://example.invalid/2.3.0"
_STATUSES = {
    1: ("Go for Launch", "Go"),
    2: ("To Be Determined", "TBD"),
    3: ("Launch Successful", "Success"),
    4: ("Launch Failure", "Failure"),
    5: ("On Hold", "Hold"),
    6: ("Launch in Flight", "In Flight"),
    7: ("Launch was a Partial Failure", "Partial Failure"),
    8: ("To Be Confirmed", "TBC"),
    9: ("Payload Deployed", "Deployed"),
}
_PRECISIONS = {
    "second": (0, "Second", "SEC"),
    "minute": (1, "Minute", "MIN"),
    "hour": (2, "Hour", "HR"),
    "day": (5, "Day", "DAY"),
    "month": (7, "Month", "M"),
}
_LANDING_TYPES = {"ASDS": (1, "Autonomous Spaceport Drone Ship"), "RTLS": (2, "Return to Launch Site"), "Ocean": (3, "Ocean")}
_DETAILS = (
    *("flightclub_url", "updates", "info_urls", "vid_urls", "timeline", "pad_turnaround", "mission_patches"),
    *("rocket.launcher_stage", "rocket.spacecraft_stage", "rocket.payloads"),
)
"""What only the mode `detailed` has."""
_NOT_IN_LIST = (
    *("probability", "weather_concerns", "failreason", "hashtag", "launch_service_provider", "rocket", "mission", "pad"),
    *("webcast_live", "program"),
)
_COUNTS = ("orbital_launch_attempt_count", "location_launch_attempt_count", "pad_launch_attempt_count")


def as_library(record: Any) -> Any:
    """A launch of r-spacex v5 as Launch Library has it in the mode `detailed`; what is no launch is left as it is."""
    if not isinstance(record, dict) or "id" not in record:
        return record
    key = record["launch_library_id"] if not record["name"].rpartition("#")[1] else None
    key = key or str(uuid.uuid5(uuid.NAMESPACE_URL, record["id"]))
    start = _seconds(record["date_utc"])
    window = timedelta(seconds=record["window"] or 0)
    end = (datetime.fromisoformat(start) + window).strftime("%Y-%m-%dT%H:%M:%SZ")
    rocket = _known("rockets", record["rocket"])
    return {
        "id": key,
        "url": f"{_SITE}/launches/{key}/",
        "name": f"{rocket['name']} | {record['name']}",
        "response_mode": "detailed",
        "slug": f"launch-{record['flight_number']}",
        "launch_designator": None,
        "status": status(_status(record)),
        "last_updated": (datetime(2022, 11, 1) + timedelta(minutes=record["flight_number"])).strftime("%Y-%m-%dT%H:%M:%SZ"),  # noqa: DTZ001
        "net": start,
        "net_precision": _precision(record["date_precision"]),
        "window_end": end,
        "window_start": start,
        "image": None,
        "infographic": None,
        "probability": None,
        "weather_concerns": None,
        "failreason": "No reason stated" if record["failures"] else "",
        "hashtag": None,
        "launch_service_provider": _agency("SpaceX", SPACEX),
        "rocket": {
            "id": record["flight_number"],
            "configuration": _configuration(rocket),
            "launcher_stage": [_launcher_stage(record, place, core) for place, core in enumerate(record["cores"])],
            "spacecraft_stage": _spacecraft_stages(record),
            "payloads": [_payload_flight(key) for key in record["payloads"]],
        },
        "mission": _mission(record),
        "pad": _pad(_known("launchpads", record["launchpad"])),
        "webcast_live": False,
        "program": [],
        **dict.fromkeys((*_COUNTS, *(f"{name}_year" for name in _COUNTS))),
        "agency_launch_attempt_count": record["flight_number"],
        "agency_launch_attempt_count_year": None,
        "flightclub_url": None,
        "updates": [],
        "info_urls": _pages(record["links"]),
        "vid_urls": [_link(record["links"]["webcast"], 1, "Official Webcast")] if record["links"]["webcast"] else [],
        "timeline": [],
        "pad_turnaround": None,
        "mission_patches": _patches(record),
    }


def in_mode(record: Any, mode: str) -> Any:
    """What a mode leaves of a detailed record."""
    if not isinstance(record, dict) or mode == "detailed":
        return record
    left = {name: value for name, value in record.items() if name not in _DETAILS}
    if mode == "list":
        return {name: value for name, value in left.items() if name not in _NOT_IN_LIST and "_count" not in name} | {
            "response_mode": "list"
        }
    if isinstance(record.get("rocket"), dict):
        left["rocket"] = {name: value for name, value in record["rocket"].items() if f"rocket.{name}" not in _DETAILS}
    provider = record.get("launch_service_provider")
    if isinstance(provider, dict):
        left["launch_service_provider"] = {name: value for name, value in provider.items() if name != "country"}
    return left | {"response_mode": "normal"}


def status(number: int) -> Record:
    """A status by its id."""
    name, abbrev = _STATUSES.get(number, ("Something New", "New"))
    return {"id": number, "name": name, "abbrev": abbrev, "description": f"{name}."}


def _status(record: Record) -> int:
    if record["success"] is not None:
        return 3 if record["success"] else 4
    return (8 if record["date_precision"] == "hour" else 2) if record["upcoming"] else 6


def _precision(name: str | None) -> Record | None:
    if name is None:
        return None
    number, title, abbrev = _PRECISIONS[name]
    return {"id": number, "name": title, "abbrev": abbrev, "description": f"The T-0 is accurate to the {name}."}


def _mission(record: Record) -> Record:
    orbits = [orbit for key in record["payloads"] if (orbit := _known("payloads", key)["orbit"])]
    orbit = orbits[0] if orbits else None
    number = 25 if orbit is None else 8 if orbit == "LEO" else 100 + sum(map(ord, orbit))
    details = record["details"]
    return {
        "id": record["flight_number"],
        "name": record["name"],
        "type": "Test Flight",
        # Descriptions come from a form in a browser: their lines end as there.
        "description": None if details is None else details.replace("\n", "\r\n"),
        "image": None,
        "orbit": {
            "id": number,
            "name": orbit or "Unknown",
            "abbrev": orbit or "N/A",
            "celestial_body": {"response_mode": "list", "id": 1, "name": "Earth"},
        },
        "agencies": [],
        "info_urls": [],
        "vid_urls": [],
    }


def _configuration(rocket: Record) -> Record:
    number = _number("rockets", rocket["id"])
    return {
        "response_mode": "detailed",
        "id": number,
        "url": f"{_SITE}/launcher_configurations/{number}/",
        "name": rocket["name"],
        "families": [{"response_mode": "detailed", "id": 1, "name": rocket["name"].split()[0]}],
        "full_name": rocket["name"],
        "variant": "",
    }


def _pad(pad: Record) -> Record:
    number = _number("launchpads", pad["id"])
    return {
        "id": number,
        "url": f"{_SITE}/pads/{number}/",
        "active": pad["status"] == "active",
        "agencies": [],
        "name": pad["name"],
        "image": None,
        "description": None,
        "info_url": None,
        "wiki_url": None,
        "map_url": None,
        "latitude": pad["latitude"],
        "longitude": pad["longitude"],
        "country": _country("United States"),
        "map_image": None,
        "total_launch_count": pad["launch_attempts"],
        "orbital_launch_attempt_count": pad["launch_attempts"],
        "fastest_turnaround": None,
        "location": _location(number, pad["locality"], pad["timezone"]),
    }


def _location(number: int, name: str, timezone: str | None) -> Record:
    return {
        "response_mode": "normal",
        "id": number,
        "url": f"{_SITE}/locations/{number}/",
        "name": name,
        "active": True,
        "country": _country("United States"),
        "description": None,
        "image": None,
        "map_image": None,
        "longitude": None,
        "latitude": None,
        "timezone_name": timezone,
        "total_launch_count": None,
        "total_landing_count": None,
    }


def _country(name: str) -> Record:
    return {"id": 1 + sum(map(ord, name)), "name": name, "alpha_2_code": "XX", "alpha_3_code": "XXX"}


def _agency(name: str, number: int | None = None, countries: list[str] | None = None) -> Record:
    number = 1000 + sum(map(ord, name)) if number is None else number
    return {
        "response_mode": "normal",
        "id": number,
        "url": f"{_SITE}/agencies/{number}/",
        "name": name,
        "abbrev": name[:3],
        "type": {"id": 3, "name": "Commercial"},
        "country": [_country(country) for country in countries or []],
    }


def _launcher_stage(record: Record, place: int, flight: Record) -> Record:
    number = record["flight_number"] * 10 + place
    core = _known("cores", flight["core"]) if flight["core"] else {}
    serial = core.get("serial") or f"Core {flight['core']}"
    return {
        "id": number,
        "type": "Core" if place == 0 else "Strap-On Booster",
        "reused": flight["reused"],
        "launcher_flight_number": flight["flight"],
        "launcher": {
            "response_mode": "normal",
            "id": _number("cores", flight["core"]) if flight["core"] else 500,
            "url": f"{_SITE}/launchers/{number}/",
            "flight_proven": flight["reused"] is True,
            "serial_number": serial if flight["core"] else "Unknown F9",
            "is_placeholder": not flight["core"],
            "status": {"id": 3, "name": "active"},
            "image": None,
            "details": "",
        },
        "previous_flight_date": None,
        "turn_around_time": None,
        "landing": None if flight["landing_attempt"] is None else _landing(number, flight),
        "previous_flight": None,
    }


def _landing(number: int, flight: Record) -> Record:
    pad = _known("landpads", flight["landpad"]) if flight["landpad"] else None
    kind, name = _LANDING_TYPES.get(flight["landing_type"], (9, "Expended"))
    return {
        "id": number,
        "url": f"{_SITE}/landings/{number}/",
        "attempt": flight["landing_attempt"],
        "success": flight["landing_success"] if flight["landing_attempt"] else None,
        "description": "",
        "downrange_distance": None,
        "landing_location": None
        if pad is None
        else {
            "id": _number("landpads", pad["id"]),
            "name": pad["full_name"],
            "active": pad["status"] == "active",
            "abbrev": pad["name"],
            "description": None,
            "location": _location(_number("landpads", pad["id"]), pad["locality"], None) if pad["type"] == "RTLS" else None,
            "longitude": None,
            "latitude": None,
            "image": None,
            "successful_landings": pad["landing_successes"],
            "attempted_landings": pad["landing_attempts"],
            "failed_landings": pad["landing_attempts"] - pad["landing_successes"],
        },
        "type": {"id": kind, "name": name, "abbrev": flight["landing_type"] or "EXP", "description": ""},
    }


def _spacecraft_stages(record: Record) -> list[Record]:
    """One spacecraft a launch, with the whole crew; the first capsule where the facts name some."""
    if not record["capsules"] and not record["crew"]:
        return []
    number = record["flight_number"]
    capsule = int(record["capsules"][0][-6:], 16) if record["capsules"] else 900
    return [
        {
            "id": number,
            "url": f"{_SITE}/spacecraft_flights/{number}/",
            "destination": "Low Earth Orbit",
            "mission_end": None,
            "spacecraft": {
                "response_mode": "detailed",
                "id": capsule,
                "name": f"Dragon {capsule}",
                "serial_number": None,
                "is_placeholder": not record["capsules"],
            },
            "landing": None,
            "duration": None,
            "turn_around_time": None,
            "response_mode": "detailed",
            "launch_crew": [_crew_member(number, place, member) for place, member in enumerate(record["crew"])],
            "onboard_crew": [],
            "landing_crew": [],
            "docking_events": [],
        }
    ]


def _crew_member(number: int, place: int, member: Record) -> Record:
    return {
        "id": number * 10 + place,
        "role": {"id": 1, "role": member["role"], "priority": 0},
        "astronaut": {"id": _number("crew", member["crew"]), "name": _known("crew", member["crew"])["name"]},
    }


def _payload_flight(key: str) -> Record:
    payload = _known("payloads", key)
    number = _number("payloads", key)
    makers, customers = payload["manufacturers"], payload["customers"]
    return {
        "response_mode": "detailed",
        "id": number,
        "url": f"{_SITE}/payload_flights/{number}/",
        "destination": payload["orbit"],
        "amount": 1,
        "payload": {
            "response_mode": "detailed",
            "id": number,
            "name": payload["name"],
            "type": {"id": 1, "name": payload["type"]},
            "manufacturer": _agency(makers[0]) if makers else None,
            "operator": _agency(customers[0], countries=payload["nationalities"]) if customers else None,
            "image": None,
            "wiki_link": "",
            "info_link": "",
            "program": [],
            "cost": None,
            "mass": None if payload["mass_kg"] is None else float(payload["mass_kg"]),
            "description": "",
        },
        "landing": None,
        "docking_events": [],
    }


def _pages(links: Record) -> list[Record]:
    article, wikipedia = links["article"], links["wikipedia"]
    urls = [article, wikipedia and f"https://en.wikipedia.org/wiki/{wikipedia.rpartition('/')[2]}"]
    return [_link(url, 2, "Page") for url in urls if url]


def _patches(record: Record) -> list[Record]:
    image = record["links"]["patch"]["large"]
    return [{"id": record["flight_number"], "name": "Patch", "priority": 10, "image_url": image, "agency": None}] if image else []


def _link(url: str, number: int, kind: str) -> Record:
    return {"priority": 10, "source": None, "title": "", "description": "", "url": url, "type": {"id": number, "name": kind}}


@cache
def _by_id(kind: str) -> Mapping[str, Record]:
    return {record["id"]: record for record in lookups()[kind]}


@cache
def _numbers(kind: str) -> Mapping[str, int]:
    return {key: number for number, key in enumerate(_by_id(kind), 1)}


def _known(kind: str, key: str) -> Record:
    return _by_id(kind).get(key, {})


def _number(kind: str, key: str) -> int:
    """The number of a lookup record; of one that the facts only mention, the last digits of its id."""
    return _numbers(kind).get(key) or int(key[-7:], 16)


def _seconds(date: str) -> str:
    return datetime.fromisoformat(date).strftime("%Y-%m-%dT%H:%M:%SZ")
