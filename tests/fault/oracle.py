"""The data contract once more, in plain Python and nothing of the program's: which records are sound, and the rows they make."""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

Row = dict[str, Any]
Check = Callable[[Any], Any]
Spec = Mapping[str, Check]

_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DATE = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
PRECISIONS = {"half", "quarter", "year", "month", "week", "day", "hour", "minute", "second"}


class UnsoundError(Exception):
    """The contract has no place for it."""


def _require(holds: object) -> None:
    if not holds:
        raise UnsoundError


def text(limit: int) -> Check:
    def check(value: Any) -> Any:
        _require(isinstance(value, str) and len(value) <= limit and not re.search("[\ud800-\udfff]", value))
        return value

    return check


def key(value: Any) -> Any:
    _require(isinstance(value, str) and _KEY.fullmatch(value))
    return value


def flag(value: Any) -> Any:
    _require(value is True or value is False)
    return int(value)


def integer(value: Any) -> Any:
    if type(value) is float and value.is_integer() and abs(value) <= 2**53:
        value = int(value)
    _require(type(value) is int and -(2**63) <= value < 2**63)
    return value


def real(value: Any) -> Any:
    _require(type(value) in (int, float))
    try:
        value = float(value)
    except OverflowError:
        raise UnsoundError from None
    _require(math.isfinite(value))
    return value + 0.0


def moment(value: Any) -> Any:
    form = _DATE.fullmatch(value) if isinstance(value, str) else None
    _require(form)
    assert form
    year, month, day, hour, minute, second, fraction, zone = form.groups()
    _require(not (fraction or "")[6:].strip("0"))
    offset = timedelta(0)
    if zone and zone != "Z":
        hours, minutes = int(zone[1:3]), int(zone[-2:])
        _require(hours < 24 and minutes < 60)
        offset = timedelta(hours=hours, minutes=minutes) * (-1 if zone[0] == "-" else 1)
    try:
        micros = int((fraction or "0")[:6].ljust(6, "0"))
        local = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), micros, UTC)
        utc = local - offset
    except (ValueError, OverflowError):
        raise UnsoundError from None
    _require(utc.year >= 1000)
    return utc


def anything(value: Any) -> Any:
    return value


def reference(value: Any) -> Any:
    """An id or an object; null names nothing, and so does an object that has nothing."""
    return value if value is None or isinstance(value, dict) else key(value)


def each(check: Check) -> Check:
    """A list of at most a thousand; null is an element of which nothing is known."""

    def check_all(value: Any) -> Any:
        _require(isinstance(value, list) and len(value) <= 1000)
        return [None if item is None else check(item) for item in value]

    return check_all


def record(spec: Spec, *required: str) -> Check:
    """An object whose fields are null or absent, but for those required, or as the spec says."""

    def check(value: Any) -> Any:
        _require(isinstance(value, dict))
        _require(all(value.get(name) is not None for name in required))
        return {name: None if value.get(name) is None else inner(value[name]) for name, inner in spec.items()}

    return check


label, plain, prose = text(512), text(16_000), text(1_000_000)
_TEXTS = dict.fromkeys(("name", "full_name", "locality", "region"), label)
_ORBIT = (
    "longitude semi_major_axis_km eccentricity periapsis_km apoapsis_km inclination_deg period_min raan arg_of_pericenter "
    "mean_anomaly mean_motion lifespan_years mass_kg"
)
_DRAGON = record(
    {
        "capsule": reference,
        "mass_returned_kg": real,
        "flight_time_sec": integer,
        "manifest": plain,
        "water_landing": flag,
        "land_landing": flag,
    }
)
LOOKUPS: dict[str, Check] = {
    "rockets": record({"id": key, "name": label}),
    "launchpads": record({"id": key, **_TEXTS, "timezone": label, "latitude": real, "longitude": real}),
    "landpads": record({"id": key, **_TEXTS}),
    "cores": record({"id": key, "serial": label, "block": integer}),
    "crew": record({"id": key, "name": label}),
    "payloads": record(
        {
            "id": key,
            **dict.fromkeys(("name", "type", "orbit", "regime", "reference_system"), label),
            **dict.fromkeys(("customers", "nationalities", "manufacturers"), each(plain)),
            **dict.fromkeys(_ORBIT.split(), real),
            "reused": flag,
            "norad_ids": each(integer),
            "epoch": moment,
            "dragon": _DRAGON,
        }
    ),
}
_CORE_USE = record(
    {
        **dict.fromkeys(("gridfins", "legs", "reused", "landing_attempt", "landing_success"), flag),
        "core": reference,
        "flight": integer,
        "landing_type": label,
        "landpad": reference,
    }
)
_LINKS = record(
    {
        "patch": record(dict.fromkeys(("small", "large"), plain)),
        "reddit": record(dict.fromkeys(("campaign", "launch", "media", "recovery"), plain)),
        **dict.fromkeys(("presskit", "webcast", "article", "wikipedia"), plain),
        "youtube_id": label,
    }
)
_FAIRINGS = record({**dict.fromkeys(("reused", "recovery_attempt", "recovered"), flag), "ships": each(reference)})
_FAILURE = record({"time": integer, "altitude": real, "reason": prose})
_LAUNCH = record(
    {
        "id": key,
        "date_utc": moment,
        "static_fire_date_utc": moment,
        "launch_library_id": key,
        **dict.fromkeys(("name", "date_local", "date_precision"), label),
        **dict.fromkeys(("upcoming", "success", "tbd", "tdb", "net", "auto_update"), flag),
        **dict.fromkeys(("flight_number", "window"), integer),
        **dict.fromkeys(("rocket", "launchpad"), reference),
        **dict.fromkeys(("payloads", "crew", "ships", "capsules"), each(reference)),
        "cores": each(_CORE_USE),
        "failures": each(_FAILURE),
        "fairings": _FAIRINGS,
        "links": _LINKS,
        "details": prose,
    },
    "id",
    "date_utc",
)
_CREW_USE = record({"crew": reference, "role": label})


def readable_id(raw: Any) -> str | None:
    """The id of a record that may be unsound otherwise."""
    found = raw.get("id") if isinstance(raw, dict) else None
    return found if isinstance(found, str) and _KEY.fullmatch(found) else None


class Oracle:
    """Says what an answer comes to, given the lookups."""

    def __init__(self, lookups: Mapping[str, Iterable[Any]]) -> None:
        self.known: dict[str, dict[str, Any]] = {kind: {} for kind in LOOKUPS}
        for kind, records in lookups.items():
            for raw in records:
                try:
                    found = LOOKUPS[kind](raw)
                    _require(found["id"] is not None)
                    self.known[kind][found["id"]] = found
                except UnsoundError:
                    if name := readable_id(raw):
                        self.known[kind][name] = None

    def answer(self, records: list[Any]) -> tuple[dict[str, dict[str, list[Row]]], set[int]]:
        """Rows of each launch by table, and the places of the records that must be set aside; the last with an id counts."""
        last = {name: i for i, raw in enumerate(records) if (name := readable_id(raw))}
        rows, rejected = {}, set()
        for i, raw in enumerate(records):
            name = readable_id(raw)
            if name is not None and last[name] != i:
                continue
            try:
                rows[name or ""] = self.launch(raw)
            except UnsoundError:
                rejected.add(i)
        return rows, rejected

    def launch(self, raw: Any) -> dict[str, list[Row]]:
        """The rows of one launch. Raises UnsoundError."""
        sent = _LAUNCH(raw)
        who = {"launch_id": sent["id"], "launch_year": sent["date_utc"].year}
        cores, payloads, crew = [], [], []
        for i, one in enumerate(sent["cores"] or ()):
            use = one or _CORE_USE({})
            core_id, core = self.resolve("cores", use["core"])
            pad_id, pad = self.resolve("landpads", use["landpad"])
            plain_facts = ("gridfins", "legs", "reused", "landing_attempt", "landing_success", "landing_type")
            cores.append(
                {
                    **who,
                    "position": i,
                    "core_id": core_id,
                    "core_serial": core.get("serial"),
                    "core_block": core.get("block"),
                    "core_flight_number": use["flight"],
                    "landpad_id": pad_id,
                    "landpad_name": pad.get("name"),
                    **{name: use[name] for name in plain_facts},
                }
            )
        for i, ref in enumerate(sent["payloads"] or ()):
            payload_id, payload = self.resolve("payloads", ref)
            facts = ("name", "type", "reused", "mass_kg", "orbit", "regime", "longitude", "period_min", "mean_motion")
            payloads.append(
                {
                    **who,
                    "position": i,
                    "payload_id": payload_id,
                    **{name: payload.get(name) for name in facts},
                    **{name: array(payload.get(name)) for name in ("customers", "nationalities", "manufacturers", "norad_ids")},
                    "epoch_utc": payload.get("epoch"),
                    "dragon_capsule_id": id_of((payload.get("dragon") or {}).get("capsule")),
                }
            )
        for i, ref in enumerate(sent["crew"] or ()):
            use = _CREW_USE(ref) if isinstance(ref, dict) and ref.keys() & {"crew", "role"} else {"crew": ref, "role": None}
            crew_id, person = self.resolve("crew", use["crew"])
            crew.append({**who, "position": i, "crew_id": crew_id, "name": person.get("name"), "role": use["role"]})
        failures = [
            {**who, "position": i, "time_s": f["time"], "altitude_km": f["altitude"], "reason": f["reason"]}
            for i, f in enumerate(one or _FAILURE({}) for one in sent["failures"] or ())
        ]
        launch = who | self.facts(raw, sent, cores, payloads)
        return {
            "launches": [launch],
            "launch_cores": cores,
            "launch_payloads": payloads,
            "launch_failures": failures,
            "launch_crew": crew,
        }

    def facts(self, raw: Any, sent: Row, cores: list[Row], payloads: list[Row]) -> Row:
        """The launch's own columns."""
        rocket_id, rocket = self.resolve("rockets", sent["rocket"])
        pad_id, pad = self.resolve("launchpads", sent["launchpad"])
        masses = [p["mass_kg"] for p in payloads if p["mass_kg"] is not None]
        try:
            mass = math.fsum(masses) if masses else None
        except OverflowError:
            raise UnsoundError from None
        links, fairings = sent["links"] or {}, sent["fairings"] or {}
        patch, reddit = links.get("patch") or {}, links.get("reddit") or {}
        outcome = {1: "success", 0: "failure", None: "upcoming" if sent["upcoming"] else "unknown"}
        same = ("flight_number", "name", "date_utc", "date_local", "upcoming", "success", "net", "static_fire_date_utc")
        has = sent["payloads"] is not None

        def true(name: str) -> int | None:
            return None if sent["cores"] is None else sum(core[name] == 1 for core in cores)

        return {
            **{name: sent[name] for name in (*same, "details", "launch_library_id", "auto_update")},
            "date_precision": sent["date_precision"] if sent["date_precision"] in PRECISIONS else None,
            "status": outcome[sent["success"]],
            "tbd": sent["tdb"] if sent["tbd"] is None else sent["tbd"],
            "window_s": sent["window"],
            "rocket_id": rocket_id,
            "rocket_name": rocket.get("name"),
            "launchpad_id": pad_id,
            **{f"launchpad_{name}": pad.get(name) for name in (*_TEXTS, "timezone", "latitude", "longitude")},
            "payload_count": len(payloads) if has else None,
            "payload_mass_kg": mass,
            "payload_mass_known_count": len(masses) if has else None,
            "orbits": array(list(dict.fromkeys(p["orbit"] for p in payloads if p["orbit"]))) if has else None,
            "core_count": None if sent["cores"] is None else len(cores),
            "core_serials": None if sent["cores"] is None else array([c["core_serial"] for c in cores if c["core_serial"]]),
            "reused_core_count": true("reused"),
            "landing_attempt_count": true("landing_attempt"),
            "landing_success_count": true("landing_success"),
            "crew_count": None if sent["crew"] is None else len(sent["crew"]),
            "has_fairings": None if raw.get("fairings", {}) == {} else int(raw["fairings"] is not None),
            **{f"fairings_{name}": fairings.get(name) for name in ("reused", "recovery_attempt", "recovered")},
            "fairings_ship_ids": ids(fairings.get("ships")),
            "ship_ids": ids(sent["ships"]),
            "capsule_ids": ids(sent["capsules"]),
            "youtube_id": links.get("youtube_id"),
            **{f"{name}_url": links.get(name) for name in ("webcast", "article", "wikipedia", "presskit")},
            **{f"patch_{name}_url": patch.get(name) for name in ("small", "large")},
            **{f"reddit_{name}_url": reddit.get(name) for name in ("campaign", "launch", "media", "recovery")},
        }

    def resolve(self, kind: str, ref: Any) -> tuple[str | None, Row]:
        """The id and the facts that a reference stands for: looked up, or in its own object."""
        if ref is None:
            return None, {}
        if isinstance(ref, dict):
            found = LOOKUPS[kind](ref)
            return found["id"], found
        if ref in self.known[kind]:
            found = self.known[kind][ref]
            _require(found is not None)
            return ref, found
        return ref, {}


def id_of(ref: Any) -> str | None:
    if isinstance(ref, dict):
        return None if ref.get("id") is None else str(key(ref["id"]))
    return ref


def ids(refs: list[Any] | None) -> str | None:
    return None if refs is None else array([id_of(ref) for ref in refs])


def array(values: list[Any] | None) -> str | None:
    if values is None:
        return None
    found = json.dumps([value for value in values if value is not None], ensure_ascii=False, separators=(",", ":"))
    _require(len(found) <= 16_000)
    return found
