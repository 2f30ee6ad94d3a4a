"""The records of the r-spacex API as pydantic models.

Facts come from its documentation and from recorded answers. v4 and v5 differ in `crew` (ids in v4, objects with a role in v5);
`/query` may put whole objects where the lists have ids.
"""

from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, ValidationError

from ...core.fields import Flag, Integer, InvalidField, Key, Label, Parts, Prose, Real, Reference, Text, Time, as_json_array
from ...core.model import Row
from ...core.schema import LAUNCH_CORES, LAUNCH_CREW, LAUNCH_PAYLOADS, LAUNCHES, Table
from ...core.validate import invalid_field
from ..aggregates import Or, Record, empty

Model = TypeVar("Model", bound=BaseModel)


def fit(model: type[Model], raw: Any, path: str) -> Model:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        fault = invalid_field(error)
        raise InvalidField(f"{path}.{fault.path}" if fault.path else path, fault.value, fault.reason) from None


def id_of(reference: Any, path: str) -> str | None:
    if isinstance(reference, dict):
        return fit(Lookup, reference, path).id
    return None if reference is None else str(reference)


class Fairings(Record):
    presence_counts: ClassVar = True  # null says that there are none

    reused: Flag | None = None
    recovery_attempt: Flag | None = None
    recovered: Flag | None = None
    ships: Parts[Reference] | None = None


class Patch(Record):
    small: Text | None = None
    large: Text | None = None


class Reddit(Record):
    campaign: Text | None = None
    launch: Text | None = None
    media: Text | None = None
    recovery: Text | None = None


class Links(Record):
    patch: Patch | None = None
    reddit: Reddit | None = None
    flickr: Any = None
    presskit: Text | None = None
    webcast: Text | None = None
    youtube_id: Label | None = None
    article: Text | None = None
    wikipedia: Text | None = None


class Failure(Record):
    time: Integer | None = None
    altitude: Real | None = None
    reason: Prose | None = None


class CoreUse(Record):
    core: Reference | None = None
    flight: Integer | None = None
    gridfins: Flag | None = None
    legs: Flag | None = None
    reused: Flag | None = None
    landing_attempt: Flag | None = None
    landing_success: Flag | None = None
    landing_type: Label | None = None
    landpad: Reference | None = None


class CrewUse(Record):
    crew: Reference | None = None
    role: Label | None = None


class Launch(Record):
    """One launch; in `crew` an object is a person, or a person in a role."""

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
    payloads: Parts[Reference] | None = None
    crew: Parts[Annotated[Reference, Or(CrewUse)]] | None = None
    cores: Parts[CoreUse] | None = None
    failures: Parts[Failure] | None = None
    ships: Parts[Reference] | None = None
    capsules: Parts[Reference] | None = None
    fairings: Fairings | None = None
    details: Prose | None = None
    links: Links | None = None
    auto_update: Flag | None = None
    launch_library_id: Key | None = None


class Lookup(BaseModel):
    """A looked-up record; what the tables have no column for is not read. One that a launch holds may be without its id."""

    table: ClassVar[Table] = LAUNCHES  # whose rows have its facts
    id: Key | None = None

    def facts(self) -> Row:
        """What a row that refers to the record has of it, by column. Raises InvalidField."""
        return {}


class Rocket(Lookup):
    name: Label | None = None

    def facts(self) -> Row:
        return {"rocket_name": self.name}


class Pad(Lookup):
    name: Label | None = None
    full_name: Label | None = None
    locality: Label | None = None
    region: Label | None = None


class Launchpad(Pad):
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


class Landpad(Pad):
    table = LAUNCH_CORES

    def facts(self) -> Row:
        return {
            "landpad_name": self.name,
            "landpad_full_name": self.full_name,
            "landpad_locality": self.locality,
            "landpad_region": self.region,
        }


class Core(Lookup):
    table = LAUNCH_CORES
    serial: Label | None = None
    block: Integer | None = None

    def facts(self) -> Row:
        return {"core_serial": self.serial, "core_block": self.block}


class Crew(Lookup):
    table = LAUNCH_CREW
    name: Label | None = None

    def facts(self) -> Row:
        return {"name": self.name}


class Dragon(BaseModel):
    capsule: Reference | None = None
    mass_returned_kg: Real | None = None
    flight_time_sec: Integer | None = None
    manifest: Text | None = None
    water_landing: Flag | None = None
    land_landing: Flag | None = None


class Payload(Lookup):
    table = LAUNCH_PAYLOADS
    name: Label | None = None
    type: Label | None = None
    reused: Flag | None = None
    customers: Parts[Text] | None = None
    nationalities: Parts[Text] | None = None
    manufacturers: Parts[Text] | None = None
    norad_ids: Parts[Integer] | None = None
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
    dragon: Dragon | None = None

    def facts(self) -> Row:
        dragon = self.dragon or empty(Dragon)
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
            "dragon_capsule_id": id_of(dragon.capsule, "dragon.capsule"),
            "dragon_mass_returned_kg": dragon.mass_returned_kg,
            "dragon_flight_time_s": dragon.flight_time_sec,
            "dragon_manifest_url": dragon.manifest,
            "dragon_water_landing": dragon.water_landing,
            "dragon_land_landing": dragon.land_landing,
        }


LOOKUPS: dict[str, type[Lookup]] = {
    "rockets": Rocket,
    "launchpads": Launchpad,
    "landpads": Landpad,
    "payloads": Payload,
    "cores": Core,
    "crew": Crew,
}
"""The lookups that launches refer to, by the name of their endpoint."""
