"""The one list of columns: the Arrow schemas, the MySQL tables and the documentation derive from it.

Types are declared here and nowhere else, never taken from the data of the day, so that every Parquet file of a table has
the same schema, and MySQL holds the same values.
"""

from dataclasses import dataclass, replace
from enum import Enum

import pyarrow as pa

SCHEMA_VERSION = 2
"""Raised when a column is added, removed, renamed or retyped: the next run rewrites every partition."""

TRANSFORM_VERSION = 2
"""Raised when the same source would give other rows: the next run rewrites every partition."""


DOC = "doc"
"""The name of a meaning in a file's metadata."""


PROJECTED_YEARS = range(1950, 2101)
"""Launch years that Athena's tables by path cover: each of them is looked for in a query of all years."""


@dataclass(frozen=True)
class Storage:
    """How one kind of value is held: its Arrow type, its MySQL type, and the most characters it may have."""

    arrow: pa.DataType
    mysql: str
    max_chars: int | None = None


_ASCII = "CHARACTER SET ascii COLLATE ascii_bin"
# Binary collation: equal in MySQL only if equal in Parquet (the default ones hold 'abc' and 'ABC' to be the same).
_UTF8 = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"


class Kind(Enum):
    """The kinds of value that the tables hold."""

    KEY = Storage(pa.string(), f"VARCHAR(64) {_ASCII}", 64)
    LABEL = Storage(pa.string(), f"VARCHAR(512) {_UTF8}", 512)
    TEXT = Storage(pa.string(), f"TEXT {_UTF8}", 16_000)  # four bytes a character fit TEXT's 65,535
    PROSE = Storage(pa.string(), f"MEDIUMTEXT {_UTF8}", 1_000_000)
    FLAG = Storage(pa.bool_(), "TINYINT(1)")
    INTEGER = Storage(pa.int64(), "BIGINT")
    REAL = Storage(pa.float64(), "DOUBLE")
    TIME = Storage(pa.timestamp("us", tz="UTC"), "DATETIME(6)")
    HASH = Storage(pa.string(), f"CHAR(32) {_ASCII}", 32)


@dataclass(frozen=True)
class Column:
    """One column of a canonical table; `required` columns are never null.

    `former_name` is what earlier schema versions called it, `since` the schema version that added it.
    """

    name: str
    kind: Kind
    meaning: str
    required: bool = False
    former_name: str | None = None
    since: int = 1


@dataclass(frozen=True)
class Table:
    """One canonical table: its key, and its columns in their order in both stores."""

    name: str
    key: tuple[str, ...]
    meaning: str
    columns: tuple[Column, ...]

    @property
    def arrow(self) -> pa.Schema:
        """The Arrow schema of every file of this table."""
        return pa.schema([pa.field(c.name, c.kind.value.arrow, nullable=not c.required) for c in self.columns])

    @property
    def parquet(self) -> pa.Schema:
        """The same with the meanings, as files have them: in the metadata of each field, under the name that Iceberg reads."""
        fields = [field.with_metadata({DOC: c.meaning}) for field, c in zip(self.arrow, self.columns, strict=True)]
        return pa.schema(fields, {DOC: self.meaning})

    @property
    def facts(self) -> tuple[Column, ...]:
        """The columns that the row hash covers: all but the hash itself."""
        return tuple(c for c in self.columns if c.name != "row_hash")

    def as_of(self, version: int) -> "Table":
        """The table without the columns that later schema versions added; names are those of today."""
        return replace(self, columns=tuple(c for c in self.columns if c.since <= version))


_K, _L, _T, _P = Kind.KEY, Kind.LABEL, Kind.TEXT, Kind.PROSE
_F, _I, _R, _TIME = Kind.FLAG, Kind.INTEGER, Kind.REAL, Kind.TIME

_LAUNCH_ID = Column("launch_id", _K, "The launch's id in the source", required=True)
_POSITION = Column("position", _I, "Place in the source's list, from 0", required=True)
_TAIL = (
    Column("launch_year", _I, "Year of the launch's date_utc; the partition", required=True),
    Column("row_hash", Kind.HASH, "First 32 hex digits of SHA-256 over the row's facts", required=True),
)

LAUNCHES = Table(
    "launches",
    ("launch_id",),
    "A launch, past or planned, with rocket, pad, payload and booster facts beside it",
    (
        _LAUNCH_ID,
        Column("source", _K, "Which API the row came from", required=True),
        Column("flight_number", _I, "The source's number; repeats and changes, so no key"),
        Column("name", _L, "Mission name"),
        Column("date_utc", _TIME, "Launch time, UTC; see date_precision", required=True),
        Column("date_local", _L, "Launch time at the pad as the source wrote it, with its offset"),
        Column("date_precision", _L, "How much of date_utc is known: half quarter year month week day hour minute second"),
        Column("upcoming", _F, "The source holds the launch to be in the future"),
        Column("success", _F, "Outcome; null while undecided or unknown"),
        Column("status", _L, "success failure partial_failure upcoming in_flight unknown", required=True),
        Column("tbd", _F, "Date to be determined (sent as tbd or tdb)"),
        Column("net", _F, "Date is a no-earlier-than date"),
        Column("window_s", _I, "Launch window, seconds"),
        Column("static_fire_date_utc", _TIME, "Static fire test, UTC"),
        Column("rocket_id", _K, "Rocket"),
        Column("rocket_name", _L, "Rocket's name"),
        Column("launchpad_id", _K, "Launch pad"),
        Column("launchpad_name", _L, "Pad's short name"),
        Column("launchpad_full_name", _L, "Pad's full name"),
        Column("launchpad_locality", _L, "Pad's place"),
        Column("launchpad_region", _L, "Pad's region"),
        Column("launchpad_timezone", _L, "Pad's IANA time zone"),
        Column("launchpad_latitude", _R, "Degrees north"),
        Column("launchpad_longitude", _R, "Degrees east"),
        Column("payload_count", _I, "Payloads listed; null when the source sent no list"),
        Column("payload_mass_kg", _R, "Sum of the known payload masses, kg; null when none is known"),
        Column("payload_mass_known_count", _I, "How many payloads payload_mass_kg covers"),
        Column("orbits", _T, "Distinct payload orbits, as a JSON array"),
        Column("core_count", _I, "Boosters listed"),
        Column("core_serials", _T, "Serials of the boosters known, as a JSON array"),
        Column("reused_core_count", _I, "Boosters that had flown before"),
        Column("landing_attempt_count", _I, "Boosters meant to land"),
        Column("landing_success_count", _I, "Boosters that landed"),
        Column("crew_count", _I, "Crew listed"),
        Column("has_fairings", _F, "The launch has fairing facts (a Dragon has none)"),
        Column("fairings_reused", _F, "Fairings had flown before"),
        Column("fairings_recovery_attempt", _F, "Fairing recovery was tried"),
        Column("fairings_recovered", _F, "Fairings were recovered"),
        Column("fairings_ship_ids", _T, "Ships for the fairings, as a JSON array of ids"),
        Column("ship_ids", _T, "Recovery ships, as a JSON array of ids"),
        Column("capsule_ids", _T, "Dragon capsules, as a JSON array of ids"),
        Column("details", _P, "The source's description"),
        Column("webcast_url", _T, "Webcast"),
        Column("youtube_id", _L, "YouTube id of the webcast"),
        Column("article_url", _T, "Article"),
        Column("wikipedia_url", _T, "Wikipedia page"),
        Column("presskit_url", _T, "Press kit"),
        Column("patch_small_url", _T, "Mission patch, small image"),
        Column("patch_large_url", _T, "Mission patch, large image"),
        Column("reddit_campaign_url", _T, "Reddit campaign thread"),
        Column("reddit_launch_url", _T, "Reddit launch thread"),
        Column("reddit_media_url", _T, "Reddit media thread"),
        Column("reddit_recovery_url", _T, "Reddit recovery thread"),
        Column("launch_library_id", _K, "The launch's id in Launch Library 2"),
        Column("auto_update", _F, "The source updates the date by itself"),
        *_TAIL,
    ),
)

LAUNCH_CORES = Table(
    "launch_cores",
    ("launch_id", "position"),
    "One booster on one launch",
    (
        _LAUNCH_ID,
        _POSITION,
        Column("core_id", _K, "Booster; null while not assigned"),
        Column("core_serial", _L, "Booster's serial, as B1058"),
        Column("core_block", _I, "Booster's block"),
        Column("core_flight_number", _I, "Which flight of the booster this was, from 1", former_name="flight_number"),
        Column("gridfins", _F, "Had grid fins"),
        Column("legs", _F, "Had landing legs"),
        Column("reused", _F, "Had flown before"),
        Column("landing_attempt", _F, "Was meant to land"),
        Column("landing_success", _F, "Landed; null when not tried or not known"),
        Column("landing_type", _L, "ASDS (ship), RTLS (land), Ocean"),
        Column("landpad_id", _K, "Landing pad"),
        Column("landpad_name", _L, "Landing pad's short name"),
        Column("landpad_full_name", _L, "Landing pad's full name"),
        Column("landpad_locality", _L, "Landing pad's place"),
        Column("landpad_region", _L, "Landing pad's region"),
        *_TAIL,
    ),
)

LAUNCH_PAYLOADS = Table(
    "launch_payloads",
    ("launch_id", "position"),
    "One payload of one launch",
    (
        _LAUNCH_ID,
        _POSITION,
        Column("payload_id", _K, "Payload"),
        Column("name", _L, "Payload's name"),
        Column("type", _L, "Satellite, Dragon 1.1, Crew Dragon, …"),
        Column("reused", _F, "Had flown before"),
        Column("customers", _T, "Customers, as a JSON array"),
        Column("nationalities", _T, "Nationalities, as a JSON array"),
        Column("manufacturers", _T, "Manufacturers, as a JSON array"),
        Column("norad_ids", _T, "NORAD catalogue numbers, as a JSON array"),
        Column("mass_kg", _R, "Mass, kg"),
        Column("orbit", _L, "Orbit, as LEO"),
        Column("regime", _L, "Orbit's regime, as low-earth"),
        Column("reference_system", _L, "Orbit's reference system, as geocentric"),
        Column("longitude", _R, "Degrees east, of a geostationary payload"),
        Column("semi_major_axis_km", _R, "Semi-major axis, km"),
        Column("eccentricity", _R, "Eccentricity"),
        Column("periapsis_km", _R, "Periapsis, km"),
        Column("apoapsis_km", _R, "Apoapsis, km"),
        Column("inclination_deg", _R, "Inclination, degrees"),
        Column("period_min", _R, "Orbital period, minutes"),
        Column("raan_deg", _R, "Right ascension of the ascending node, degrees"),
        Column("arg_of_pericenter_deg", _R, "Argument of the pericentre, degrees"),
        Column("mean_anomaly_deg", _R, "Mean anomaly, degrees"),
        Column("mean_motion", _R, "Mean motion, revolutions a day"),
        Column("epoch_utc", _TIME, "Epoch of the orbital elements, UTC"),
        Column("lifespan_years", _R, "Design life, years"),
        Column("dragon_capsule_id", _K, "Dragon capsule that carried it"),
        Column("dragon_mass_returned_kg", _R, "Mass brought back, kg"),
        Column("dragon_flight_time_s", _I, "Dragon's time in flight, seconds"),
        Column("dragon_manifest_url", _T, "Dragon's manifest"),
        Column("dragon_water_landing", _F, "Dragon came down on water"),
        Column("dragon_land_landing", _F, "Dragon came down on land"),
        *_TAIL,
    ),
)

LAUNCH_FAILURES = Table(
    "launch_failures",
    ("launch_id", "position"),
    "One failure of one launch",
    (
        _LAUNCH_ID,
        _POSITION,
        Column("time_s", _I, "Seconds from liftoff; negative before it"),
        Column("altitude_km", _R, "Altitude, km"),
        Column("reason", _P, "The source's words"),
        *_TAIL,
    ),
)

LAUNCH_CREW = Table(
    "launch_crew",
    ("launch_id", "position"),
    "One crew member and role on one launch",
    (
        _LAUNCH_ID,
        _POSITION,
        Column("crew_id", _K, "Person"),
        Column("name", _L, "Person's name"),
        Column("role", _L, "Role on this launch"),
        *_TAIL,
    ),
)

_OF_A_CHANGE = "The column; launch_id for a launch that came (old_value is null) or went (new_value is null)"
LAUNCH_CHANGES = Table(
    "launch_changes",
    ("launch_id", "run_id", "column_name"),
    "One column of `launches` that one run found changed; rows are added and never altered",
    (
        _LAUNCH_ID,
        Column("run_id", _K, "The run that found it", required=True),
        Column("changed_at", _TIME, "When that run began, UTC", required=True),
        Column(
            "source",
            _K,
            "The API whose launch it is; null for a change found before schema version 2 by a run not known",
            since=2,
        ),
        Column("column_name", _K, _OF_A_CHANGE, required=True, former_name="column"),
        Column("old_value", _P, "The value before, as text; flags are 0 and 1", former_name="old"),
        Column("new_value", _P, "The value after, as text", former_name="new"),
        Column("launch_year", _I, "Year of the launch's date_utc after the change; the partition", required=True),
        _TAIL[1],
    ),
)

SNAPSHOT: dict[str, Table] = {t.name: t for t in (LAUNCHES, LAUNCH_CORES, LAUNCH_PAYLOADS, LAUNCH_FAILURES, LAUNCH_CREW)}
"""The tables that hold what the source said last, by name."""

TABLES: dict[str, Table] = {**SNAPSHOT, LAUNCH_CHANGES.name: LAUNCH_CHANGES}
"""All canonical tables, by name, in the order in which they are written."""
