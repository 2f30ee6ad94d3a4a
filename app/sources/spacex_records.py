"""How the r-spacex API's records become canonical rows.

Facts come from its documentation and from recorded answers. v4 and v5 differ in `crew` (ids in v4, objects with a role in v5);
`/query` may put whole objects where the lists have ids. All of it ends in the same rows.
"""

from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from app.core.fields import Flag, Integer, Key, Label, Prose, Real, Reference, Text, Time, Unfit, as_json_array
from app.core.model import Checked, Rejected, Row, Rows, Unreadable
from app.core.validate import path_of, rejection
from app.sources.aggregates import Record, core_facts, count, name_unknown_fields, payload_facts

_PRECISIONS = frozenset({"half", "quarter", "year", "month", "week", "day", "hour", "minute", "second"})


class _Fairings(Record):
    reused: Flag | None = None
    recovery_attempt: Flag | None = None
    recovered: Flag | None = None
    ships: list[Reference] | None = None


class _Patch(Record):
    small: Text | None = None
    large: Text | None = None


class _Reddit(Record):
    campaign: Text | None = None
    launch: Text | None = None
    media: Text | None = None
    recovery: Text | None = None


class _Links(Record):
    patch: _Patch | None = None
    reddit: _Reddit | None = None
    flickr: Any = None
    presskit: Text | None = None
    webcast: Text | None = None
    youtube_id: Label | None = None
    article: Text | None = None
    wikipedia: Text | None = None


class _Failure(Record):
    time: Integer | None = None
    altitude: Real | None = None
    reason: Prose | None = None


class _CoreUse(Record):
    core: Reference | None = None
    flight: Integer | None = None
    gridfins: Flag | None = None
    legs: Flag | None = None
    reused: Flag | None = None
    landing_attempt: Flag | None = None
    landing_success: Flag | None = None
    landing_type: Label | None = None
    landpad: Reference | None = None


class _CrewUse(Record):
    crew: Reference
    role: Label | None = None


class _Launch(Record):
    id: Key
    flight_number: Integer | None = None
    name: Label | None = None
    date_utc: Time
    date_unix: Any = None
    date_local: Label | None = None
    date_precision: Label | None = None
    upcoming: Flag | None = None
    success: Flag | None = None
    tbd: Flag | None = None
    tdb: Flag | None = None
    net: Flag | None = None
    window: Integer | None = None
    static_fire_date_utc: Time | None = None
    static_fire_date_unix: Any = None
    rocket: Reference | None = None
    launchpad: Reference | None = None
    payloads: list[Reference] | None = None
    crew: list[Reference] | None = None
    cores: list[_CoreUse] | None = None
    failures: list[_Failure] | None = None
    ships: list[Reference] | None = None
    capsules: list[Reference] | None = None
    fairings: _Fairings | None = None
    details: Prose | None = None
    links: _Links | None = None
    auto_update: Flag | None = None
    launch_library_id: Key | None = None


class _Lookup(BaseModel):
    """A looked-up record; what the tables have no column for is not read."""

    id: Key

    def facts(self) -> Row:
        """What a row that refers to the record has of it, by column. Raises Unfit."""
        return {}


class _Rocket(_Lookup):
    name: Label | None = None

    def facts(self) -> Row:
        return {"rocket_name": self.name}


class _Pad(_Lookup):
    name: Label | None = None
    full_name: Label | None = None
    locality: Label | None = None
    region: Label | None = None


class _Launchpad(_Pad):
    timezone: Label | None = None
    latitude: Real | None = None
    longitude: Real | None = None

    def facts(self) -> Row:
        return {
            "launchpad_name": self.name,
            "launchpad_full_name": self.full_name,
            "launchpad_locality": self.locality,
            "launchpad_region": self.region,
            "launchpad_timezone": self.timezone,
            "launchpad_latitude": self.latitude,
            "launchpad_longitude": self.longitude,
        }


class _Landpad(_Pad):
    def facts(self) -> Row:
        return {
            "landpad_name": self.name,
            "landpad_full_name": self.full_name,
            "landpad_locality": self.locality,
            "landpad_region": self.region,
        }


class _Core(_Lookup):
    serial: Label | None = None
    block: Integer | None = None

    def facts(self) -> Row:
        return {"core_serial": self.serial, "core_block": self.block}


class _Crew(_Lookup):
    name: Label | None = None

    def facts(self) -> Row:
        return {"name": self.name}


class _Dragon(BaseModel):
    capsule: Reference | None = None
    mass_returned_kg: Real | None = None
    flight_time_sec: Integer | None = None
    manifest: Text | None = None
    water_landing: Flag | None = None
    land_landing: Flag | None = None


class _Payload(_Lookup):
    name: Label | None = None
    type: Label | None = None
    reused: Flag | None = None
    customers: list[Text] | None = None
    nationalities: list[Text] | None = None
    manufacturers: list[Text] | None = None
    norad_ids: list[Integer] | None = None
    mass_kg: Real | None = None
    orbit: Label | None = None
    regime: Label | None = None
    reference_system: Label | None = None
    longitude: Real | None = None
    semi_major_axis_km: Real | None = None
    eccentricity: Real | None = None
    periapsis_km: Real | None = None
    apoapsis_km: Real | None = None
    inclination_deg: Real | None = None
    period_min: Real | None = None
    raan: Real | None = None
    arg_of_pericenter: Real | None = None
    mean_anomaly: Real | None = None
    mean_motion: Real | None = None
    epoch: Time | None = None
    lifespan_years: Real | None = None
    dragon: _Dragon | None = None

    def facts(self) -> Row:
        dragon = self.dragon or _empty(_Dragon)
        return {
            "name": self.name,
            "type": self.type,
            "reused": self.reused,
            "customers": as_json_array("customers", self.customers),
            "nationalities": as_json_array("nationalities", self.nationalities),
            "manufacturers": as_json_array("manufacturers", self.manufacturers),
            "norad_ids": as_json_array("norad_ids", self.norad_ids),
            "mass_kg": self.mass_kg,
            "orbit": self.orbit,
            "regime": self.regime,
            "reference_system": self.reference_system,
            "longitude": self.longitude,
            "semi_major_axis_km": self.semi_major_axis_km,
            "eccentricity": self.eccentricity,
            "periapsis_km": self.periapsis_km,
            "apoapsis_km": self.apoapsis_km,
            "inclination_deg": self.inclination_deg,
            "period_min": self.period_min,
            "raan_deg": self.raan,
            "arg_of_pericenter_deg": self.arg_of_pericenter,
            "mean_anomaly_deg": self.mean_anomaly,
            "mean_motion": self.mean_motion,
            "epoch_utc": self.epoch,
            "lifespan_years": self.lifespan_years,
            "dragon_capsule_id": _id_of(dragon.capsule, "dragon.capsule"),
            "dragon_mass_returned_kg": dragon.mass_returned_kg,
            "dragon_flight_time_s": dragon.flight_time_sec,
            "dragon_manifest_url": dragon.manifest,
            "dragon_water_landing": dragon.water_landing,
            "dragon_land_landing": dragon.land_landing,
        }


LOOKUPS: dict[str, type[_Lookup]] = {
    "rockets": _Rocket,
    "launchpads": _Launchpad,
    "landpads": _Landpad,
    "payloads": _Payload,
    "cores": _Core,
    "crew": _Crew,
}
"""The look-ups that launches refer to, by the name of their endpoint."""

_Model = TypeVar("_Model", bound=BaseModel)


class SpacexParser:
    """Turns launch records into rows with the facts of the look-ups it has learned."""

    def __init__(self) -> None:
        self.rejected: list[Rejected] = []
        self._known: dict[str, dict[str, Row | Unfit]] = {kind: {} for kind in LOOKUPS}

    def learn(self, kind: str, index: int, raw: Any) -> None:
        """Take up one look-up record; one that does not fit is set aside, and so are the launches that refer to it."""
        try:
            key, facts = _looked_up(kind, raw, f"{kind}[{index}]")
        except Unfit as error:
            reject = rejection(kind, index, raw, error)
            self.rejected.append(reject)
            if reject.id:
                self._known[kind][reject.id] = error
            return
        self._known[kind][key] = facts

    def parse(self, raw: Any, checked: Checked) -> Rows:
        """The rows of one launch. Raises ValidationError or Unfit when a field does not fit."""
        if isinstance(raw, Unreadable):
            raise Unfit("", raw.text, raw.reason)
        launch = _Launch.model_validate(raw)
        cores = [self._core_row(launch.id, i, use, checked) for i, use in enumerate(launch.cores or ())]
        payloads = [self._payload_row(launch.id, i, ref, checked) for i, ref in enumerate(launch.payloads or ())]
        crew = [self._crew_row(launch.id, i, ref, checked) for i, ref in enumerate(launch.crew or ())]
        failures = [
            {"launch_id": launch.id, "position": i, "time_s": f.time, "altitude_km": f.altitude, "reason": f.reason}
            for i, f in enumerate(launch.failures or ())
        ]
        row = self._launch_row(launch, cores, payloads, checked)
        name_unknown_fields(launch, checked)
        return {
            "launches": [row],
            "launch_cores": cores,
            "launch_payloads": payloads,
            "launch_failures": failures,
            "launch_crew": crew,
        }

    def _launch_row(self, launch: _Launch, cores: list[Row], payloads: list[Row], checked: Checked) -> Row:
        rocket_id, rocket = self._resolve("rockets", launch.rocket, "rocket", checked)
        pad_id, pad = self._resolve("launchpads", launch.launchpad, "launchpad", checked)
        links = launch.links or _empty(_Links)
        patch, reddit = links.patch or _empty(_Patch), links.reddit or _empty(_Reddit)
        fairings = launch.fairings or _empty(_Fairings)
        precision = launch.date_precision
        if precision is not None and precision not in _PRECISIONS:
            checked.notes[f"date_precision {precision[:40]!r} is not known and left null"] += 1
            precision = None
        return {
            "launch_id": launch.id,
            "source": "spacex",
            "flight_number": launch.flight_number,
            "name": launch.name,
            "date_utc": launch.date_utc,
            "date_local": launch.date_local,
            "date_precision": precision,
            "upcoming": launch.upcoming,
            "success": launch.success,
            "status": _status(launch.upcoming, launch.success),
            "tbd": launch.tdb if launch.tbd is None else launch.tbd,
            "net": launch.net,
            "window_s": launch.window,
            "static_fire_date_utc": launch.static_fire_date_utc,
            "rocket_id": rocket_id,
            **rocket,
            "launchpad_id": pad_id,
            **pad,
            **payload_facts(None if launch.payloads is None else payloads),
            **core_facts(None if launch.cores is None else cores),
            "crew_count": count(launch.crew),
            "has_fairings": None if "fairings" not in launch.model_fields_set else launch.fairings is not None,
            "fairings_reused": fairings.reused,
            "fairings_recovery_attempt": fairings.recovery_attempt,
            "fairings_recovered": fairings.recovered,
            "fairings_ship_ids": _json_ids("fairings.ships", fairings.ships),
            "ship_ids": _json_ids("ships", launch.ships),
            "capsule_ids": _json_ids("capsules", launch.capsules),
            "details": launch.details,
            "webcast_url": links.webcast,
            "youtube_id": links.youtube_id,
            "article_url": links.article,
            "wikipedia_url": links.wikipedia,
            "presskit_url": links.presskit,
            "patch_small_url": patch.small,
            "patch_large_url": patch.large,
            "reddit_campaign_url": reddit.campaign,
            "reddit_launch_url": reddit.launch,
            "reddit_media_url": reddit.media,
            "reddit_recovery_url": reddit.recovery,
            "launch_library_id": launch.launch_library_id,
            "auto_update": launch.auto_update,
        }

    def _core_row(self, launch_id: str, position: int, use: _CoreUse, checked: Checked) -> Row:
        core_id, core = self._resolve("cores", use.core, f"cores[{position}].core", checked)
        pad_id, pad = self._resolve("landpads", use.landpad, f"cores[{position}].landpad", checked)
        return {
            "launch_id": launch_id,
            "position": position,
            "core_id": core_id,
            **core,
            "flight_number": use.flight,
            "gridfins": use.gridfins,
            "legs": use.legs,
            "reused": use.reused,
            "landing_attempt": use.landing_attempt,
            "landing_success": use.landing_success,
            "landing_type": use.landing_type,
            "landpad_id": pad_id,
            **pad,
        }

    def _payload_row(self, launch_id: str, position: int, reference: Any, checked: Checked) -> Row:
        payload_id, payload = self._resolve("payloads", reference, f"payloads[{position}]", checked)
        return {"launch_id": launch_id, "position": position, "payload_id": payload_id, **payload}

    def _crew_row(self, launch_id: str, position: int, reference: Any, checked: Checked) -> Row:
        path, role = f"crew[{position}]", None
        if isinstance(reference, dict) and "crew" in reference:  # v5: a person in a role
            use = _fit(_CrewUse, reference, path)
            for name in use.model_extra or ():
                checked.unknown_fields[f"crew.{name}"] += 1
            reference, role = use.crew, use.role
        crew_id, person = self._resolve("crew", reference, path, checked)
        return {"launch_id": launch_id, "position": position, "crew_id": crew_id, **person, "role": role}

    def _resolve(self, kind: str, reference: Any, path: str, checked: Checked) -> tuple[str | None, Row]:
        """The id of the look-up record that a reference names, and its facts; none when it is not known."""
        if reference is None:
            return None, {}
        found: Row | Unfit | None
        if isinstance(reference, dict):
            reference, found = _looked_up(kind, reference, path)
        else:
            found = self._known[kind].get(reference)
        checked.references[kind, reference, found is not None] += 1
        if isinstance(found, Unfit):
            raise Unfit(f"{path} -> {found.path}", found.value, found.reason)
        return reference, found or {}


@cache
def _empty(model: type[_Model]) -> _Model:
    """A record without facts."""
    return model.model_construct()


def _looked_up(kind: str, raw: Any, path: str) -> tuple[str, Row]:
    """A look-up record's id and facts."""
    record = _fit(LOOKUPS[kind], raw, path)
    try:
        return record.id, record.facts()
    except Unfit as error:
        raise Unfit(f"{path}.{error.path}", error.value, error.reason) from None


def _fit(model: type[_Model], raw: Any, path: str) -> _Model:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        inner = path_of(first["loc"])
        value = "(no such field)" if first["type"] == "missing" else first["input"]
        raise Unfit(f"{path}.{inner}" if inner else path, value, first["msg"]) from None


def _status(upcoming: bool | None, success: bool | None) -> str:
    """An outcome counts where there is one; without one a past launch is unknown, never a failure."""
    if success is not None:
        return "success" if success else "failure"
    return "upcoming" if upcoming else "unknown"


def _json_ids(path: str, references: list[Any] | None) -> str | None:
    if references is None:
        return None
    return as_json_array(path, [_id_of(ref, f"{path}[{i}]") for i, ref in enumerate(references)])


def _id_of(reference: Any, path: str) -> str | None:
    if isinstance(reference, dict):
        return _fit(_Lookup, reference, path).id
    return None if reference is None else str(reference)
