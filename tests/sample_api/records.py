"""The API's records from the facts in `facts/*.csv`; what the facts do not hold is null or a neutral text of ours."""

import csv
import hashlib
import itertools
import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

Record = dict[str, Any]

LAUNCHES = 205
# Of 2006, 2012, 2013, 2016, 2018 and 2022; among them failures, crews, the newest of the past and some of the future.
_FEW = (0, *range(7, 12), *range(25, 34), *range(52, 62), 155, 171, *range(182, 188), 190, 192, *range(200, 205))
FEW = len(_FEW)
LOOKUPS = ("rockets", "launchpads", "landpads", "payloads", "cores", "crew")

_FACTS = Path(__file__).with_name("facts")
_SITE = "https://example.invalid"
_LB_PER_KG, _FEET_PER_METER = 2.204623, 3.28084
_GOLDEN = 0.6180339887  # its multiples, taken modulo 1, lie evenly between 0 and 1
_PROSE = (
    "The booster lifts off from the pad, and after the burn of the first stage the second takes the payload to its orbit. "
    "It returns to the landing zone, or to the ship that waits out at sea, and is made ready for another flight. "
    "A window that is missed for the weather opens again on the next day; until then the satellites stay in their fairing. "
    "What a capsule brings to the station is cargo or crew, and it comes back to splash down some months later. "
)
# fmt: off
_NUMBERS = {
    "flight_number", "window", "flight", "stages", "boosters", "cost_per_launch", "success_rate_pct", "height_m",
    "diameter_m", "mass_kg", "mass_lbs", "latitude", "longitude", "launch_attempts", "launch_successes",
    "landing_attempts", "landing_successes", "block", "reuse_count", "periapsis_km", "apoapsis_km", "inclination_deg",
    "period_min", "lifespan_years",
}
# fmt: on

encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def launch(index: int) -> Record:
    """A launch in the shape of v5; from 205 on a copy of an earlier one with its own id, name, number and date."""
    copy, original = divmod(index, LAUNCHES)
    record = _launches()[original]
    return _copied(record, copy) if copy else record


def few(index: int) -> Record:
    """One of the few launches that do where size is not the point: rows in every table, and a third of the partitions of all."""
    return launch(_FEW[index])


def changed_launch(n: int, share: float, where: str, launch: Callable[[int], Record] = launch) -> Callable[[int], Record]:
    """`launch`, but that a share of the first n have other details: `spread` over all years, or of the `newest` alone."""
    years = [record["date_utc"][:4] for record in _launches()]  # a copy's is its original's
    among = [index for index in range(n) if where == "spread" or years[index % LAUNCHES] == max(years)]
    count = min(len(among), max(1, round(n * share)))
    # A step with no common divisor comes to all originals, and so to all years, before it comes to one again.
    step = next(step for step in itertools.count(len(among) // count) if math.gcd(step, len(among) * LAUNCHES) == 1)
    changed = {among[number * step % len(among)] for number in range(count)}

    def at(index: int) -> Record:
        record = launch(index)
        return record | {"details": f"Changed, {where}: {record['details']}"} if index in changed else record

    return at


def as_long_as_recorded(launch: Callable[[int], Record]) -> Callable[[int], Record]:
    """`launch`, but that details and links are as many and as long as those of the recorded launches, on the average."""

    def at(index: int) -> Record:
        record = launch(index)
        digits = hashlib.sha512(record["id"].encode()).hexdigest()

        def url(length: int, share: float, name: str) -> str | None:
            return f"{_SITE}/{name}/{digits}"[:length] if index * _GOLDEN % 1 < share else None

        return record | {
            # As among the recorded, few have a line end or more than ASCII: those of `_details`.
            "details": record["details"] if index % 100 == 3 else _prose(digits, 375) if index * _GOLDEN % 1 < 0.65 else None,
            "links": {
                "patch": {name: url(47, 0.92, name) for name in ("small", "large")},
                "reddit": {
                    name: url(84, share, name)
                    for name, share in (("campaign", 0.73), ("launch", 0.8), ("media", 0.43), ("recovery", 0.46))
                },
                "flickr": {"small": [], "original": [found for n in range(6) if (found := url(64, 0.68, f"photo-{n}"))]},
                "presskit": url(68, 0.44, "presskit"),
                "webcast": url(34, 0.92, "watch"),
                "youtube_id": digits[:11],
                "article": url(98, 0.69, "article"),
                "wikipedia": url(46, 0.76, "wiki"),
            },
        }

    return at


def _prose(digits: str, length: int) -> str:
    """Some text, the same for the same digits."""
    start = int(digits[:8], 16) % len(_PROSE)
    return (_PROSE[start:] + _PROSE)[:length]


def as_v4(record: Any) -> Any:
    """A launch as v4 has it: crew as ids, without roles; what has no crew list is left as it is."""
    if not isinstance(record, dict) or not isinstance(record.get("crew"), list):
        return record
    return record | {"crew": [member.get("crew", member) if isinstance(member, dict) else member for member in record["crew"]]}


@cache
def lookups() -> Mapping[str, list[Record]]:
    """The records of every lookup."""
    make = {"rockets": _rocket, "launchpads": _launchpad, "landpads": _landpad, "payloads": _payload, "cores": _core}
    return {name: [one(row) for row in _rows(name)] for name, one in make.items()} | {"crew": _crew()}


@cache
def _rows(table: str) -> list[Record]:
    with (_FACTS / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return [{name: _value(name, cell) for name, cell in row.items()} for row in csv.DictReader(file)]


def _value(name: str, cell: str) -> Any:
    if name in _NUMBERS:
        return _number(cell)
    return {"": None, "true": True, "false": False}.get(cell, cell)


@cache
def _launches() -> list[Record]:
    rows = sorted(_rows("launches"), key=lambda row: row["flight_number"])  # as upstream
    return [_launch(place, row) for place, row in enumerate(rows)]


def _launch(place: int, row: Record) -> Record:
    fairings = {name: row[f"fairings_{name}"] for name in ("reused", "recovery_attempt", "recovered")}
    return {
        "fairings": fairings | {"ships": []} if row["has_fairings"] else None,
        "links": _links(place, row),
        "static_fire_date_utc": row["static_fire_date_utc"],
        "static_fire_date_unix": _unix(row["static_fire_date_utc"]),
        "net": False,
        **_only(row, "window", "rocket", "success"),
        "failures": [_failure(text) for text in _list(row["failures"])],
        "details": _details(place, row["name"]),
        "crew": [dict(zip(("crew", "role"), text.split(":"), strict=True)) for text in _list(row["crew"])],
        **{name: _list(row[name]) for name in ("ships", "capsules", "payloads")},
        **_only(row, "launchpad", "flight_number", "name", "date_utc"),
        "date_unix": _unix(row["date_utc"]),
        **_only(row, "date_local", "date_precision", "upcoming"),
        "cores": [_without(core, "launch", "position") for core in _rows("launch_cores") if core["launch"] == row["id"]],
        "auto_update": True,
        "tbd": False,
        **_only(row, "launch_library_id", "id"),
    }


def _failure(text: str) -> Record:
    time, altitude = map(_number, text.split(":"))
    return {"time": time, "altitude": altitude, "reason": "No reason stated"}


def _details(place: int, name: str) -> str | None:
    """Null, empty, plain, or with what is hard to store: quotes, a backslash, a line end and four-byte text."""
    hard = f'Launch of "{name}"\\\n\U0001f680 Second line; it\'s 70 % go.'
    return (None, "", f"Launch of {name}.", hard)[place % 4]


def _links(place: int, row: Record) -> Record:
    number, past = row["flight_number"], not row["upcoming"]

    def link(path: str, every: int) -> str | None:
        return f"{_SITE}/{path}" if past and place % every == 0 else None

    return {
        "patch": {"small": link(f"patch/{number}-small.png", 2), "large": link(f"patch/{number}.png", 2)},
        "reddit": {name: link(f"r/{name}/{number}", 5) for name in ("campaign", "launch", "media", "recovery")},
        "flickr": {"small": [], "original": [url for url in [link(f"photo/{number}.jpg", 3)] if url]},
        "presskit": link(f"presskit/{number}.pdf", 7),
        "webcast": link(f"watch?v=sample{number}&t=0", 1),
        "youtube_id": f"sample{number}" if past else None,
        "article": link(f"article/{number}", 2),
        "wikipedia": link(f"wiki/{quote(row['name'])}", 3),
    }


def _copied(record: Record, copy: int) -> Record:
    """The copy's date lies elsewhere in the same year; a planned launch keeps its date, which may be a placeholder."""
    fresh = record | {
        "id": hashlib.sha256(f"{record['id']}/{copy}".encode()).hexdigest()[:24],
        "name": f"{record['name']} #{copy + 1}",
        "flight_number": record["flight_number"] + LAUNCHES * copy,
    }
    return fresh if record["upcoming"] else fresh | _moved(record, copy)


def _moved(record: Record, copy: int) -> Record:
    was = datetime.fromisoformat(record["date_utc"])
    start = datetime(was.year, 1, 1, tzinfo=UTC)
    days = (datetime(was.year + 1, 1, 1, tzinfo=UTC) - start).days
    then = start + (was - start + timedelta(int(copy * _GOLDEN % 1 * days))) % timedelta(days)
    static_fire = record["static_fire_date_utc"]
    if static_fire:
        static_fire = _utc(datetime.fromisoformat(static_fire) + (then - was))
    return {
        "date_utc": _utc(then),
        "date_unix": int(then.timestamp()),
        "date_local": then.astimezone(datetime.fromisoformat(record["date_local"]).tzinfo).isoformat(),
        "static_fire_date_utc": static_fire,
        "static_fire_date_unix": _unix(static_fire),
    }


def _rocket(row: Record) -> Record:
    thrust = dict.fromkeys(("kN", "lbf"))
    stage = dict.fromkeys(("reusable", "engines", "fuel_amount_tons", "burn_time_sec"))
    fairing = {name: dict.fromkeys(("meters", "feet")) for name in ("height", "diameter")}
    engine = (
        "number",
        "type",
        "version",
        "layout",
        "engine_loss_max",
        "propellant_1",
        "propellant_2",
        "thrust_to_weight",
    )
    return {
        **{name: _length(row[f"{name}_m"]) for name in ("height", "diameter")},
        "mass": {"kg": row["mass_kg"], "lb": round(row["mass_kg"] * _LB_PER_KG)},
        "first_stage": {"thrust_sea_level": thrust, "thrust_vacuum": thrust, **stage},
        "second_stage": {"thrust": thrust, "payloads": {"composite_fairing": fairing, "option_1": None}, **stage},
        "engines": {
            "isp": dict.fromkeys(("sea_level", "vacuum")),
            "thrust_sea_level": thrust,
            "thrust_vacuum": thrust,
            **dict.fromkeys(engine),
        },
        "landing_legs": dict.fromkeys(("number", "material")),
        "payload_weights": [],
        "flickr_images": [],
        "wikipedia": f"{_SITE}/wiki/{quote(row['name'])}",
        "description": f"{row['name']} is a launch vehicle.",
        **_without(row, "height_m", "diameter_m", "mass_kg"),
    }


def _launchpad(row: Record) -> Record:
    here = [launch for launch in _rows("launches") if launch["launchpad"] == row["id"]]
    return {
        "images": {"large": []},
        "rockets": sorted({launch["rocket"] for launch in here}),
        "launches": [launch["id"] for launch in here],
        "details": f"A launch pad in {row['region']}.",
        **row,
    }


def _landpad(row: Record) -> Record:
    return {
        "images": {"large": []},
        "wikipedia": f"{_SITE}/wiki/{quote(row['name'])}",
        "details": f"A landing pad in {row['region']}.",
        "launches": [core["launch"] for core in _rows("launch_cores") if core["landpad"] == row["id"]],
        **row,
    }


def _payload(row: Record) -> Record:
    dragon = "capsule mass_returned_kg mass_returned_lbs flight_time_sec manifest water_landing land_landing"
    unknown = "semi_major_axis_km eccentricity epoch mean_motion raan arg_of_pericenter mean_anomaly"
    return {
        "dragon": dict.fromkeys(dragon.split()),
        **row,
        **{name: _list(row[name], "|") for name in ("customers", "nationalities", "manufacturers")},
        "norad_ids": [],
        **dict.fromkeys(unknown.split()),
    }


def _core(row: Record) -> Record:
    flights = [flight for flight in _rows("launch_cores") if flight["core"] == row["id"]]

    def count(landing_type: str, fact: str) -> int:
        return sum(flight["landing_type"] == landing_type and flight[fact] is True for flight in flights)

    return {
        "rtls_attempts": count("RTLS", "landing_attempt"),
        "rtls_landings": count("RTLS", "landing_success"),
        "asds_attempts": count("ASDS", "landing_attempt"),
        "asds_landings": count("ASDS", "landing_success"),
        "last_update": None,
        "launches": [flight["launch"] for flight in flights],
        "status": "unknown",
        **row,
    }


def _crew() -> list[Record]:
    flights: dict[str, list[str]] = {}
    for record in _launches():
        for member in record["crew"]:
            flights.setdefault(member["crew"], []).append(record["id"])
    unknown = dict.fromkeys(("agency", "image", "wikipedia"))
    return [
        {"name": f"Crew member {number}", **unknown, "launches": launches, "status": "active", "id": key}
        for number, (key, launches) in enumerate(flights.items(), 1)
    ]


def _only(row: Record, *names: str) -> Record:
    return {name: row[name] for name in names}


def _without(row: Record, *names: str) -> Record:
    return {name: value for name, value in row.items() if name not in names}


def _length(meters: float) -> Record:
    return {"meters": meters, "feet": round(meters * _FEET_PER_METER, 1)}


def _number(cell: str) -> float | None:
    """An int where the cell has no decimal point."""
    return (float(cell) if "." in cell else int(cell)) if cell else None


def _list(cell: str | None, separator: str = ";") -> list[str]:
    return cell.split(separator) if cell else []


def _unix(date_utc: str | None) -> int | None:
    return int(datetime.fromisoformat(date_utc).timestamp()) if date_utc else None


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"
