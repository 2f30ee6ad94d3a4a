"""Views that answer the usual questions, one definition each: pure text, put into the dialect of each system that runs it.

What the dialects share is written once: MySQL (MariaDB too), DuckDB and Athena differ in how they cut a time, subtract two, and
unpack a list. Numbers are divided as floats (`e0`) and never rounded, so that every system answers the same.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Dialect:
    """What one system calls things."""

    start_of: Callable[[str, str], str]  # the unit that a time is in, and the time
    seconds: Callable[[str, str], str]  # between two times, each cut to the second
    as_time: Callable[[str], str]  # what a text of ours says
    listed: str  # a join with each customer of a payload `p`, or with null where it has none


def _in_mysql(unit: str, time: str) -> str:
    day = f"CAST(DATE({time}) AS DATETIME)"
    return {
        "year": f"CAST(MAKEDATE(YEAR({time}), 1) AS DATETIME)",
        "quarter": f"CAST(MAKEDATE(YEAR({time}), 1) AS DATETIME) + INTERVAL QUARTER({time}) - 1 QUARTER",
        "month": f"{day} - INTERVAL DAYOFMONTH({time}) - 1 DAY",
        "week": f"{day} - INTERVAL WEEKDAY({time}) DAY",
        "day": day,
        "hour": f"{day} + INTERVAL HOUR({time}) HOUR",
        "minute": f"{day} + INTERVAL HOUR({time}) * 60 + MINUTE({time}) MINUTE",
        "second": f"{time} - INTERVAL MICROSECOND({time}) MICROSECOND",
    }[unit]


def _truncated(unit: str, time: str) -> str:
    return f"date_trunc('{unit}', {time})"


def _date_diff(start: str, end: str) -> str:
    return f"date_diff('second', {_truncated('second', start)}, {_truncated('second', end)})"


MYSQL = Dialect(
    _in_mysql,
    lambda start, end: f"TIMESTAMPDIFF(SECOND, {_in_mysql('second', start)}, {_in_mysql('second', end)})",
    lambda text: f"CAST({text} AS DATETIME(6))",
    "LEFT JOIN JSON_TABLE(p.customers, '$[*]' COLUMNS (customer TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$')) "
    "AS listed ON TRUE",
)
DUCKDB = Dialect(
    _truncated,
    _date_diff,
    lambda text: f"CAST({text} AS timestamp)",
    "LEFT JOIN UNNEST(CAST(CAST(p.customers AS JSON) AS VARCHAR[])) AS listed (customer) ON TRUE",
)
ATHENA = Dialect(
    _truncated,
    _date_diff,
    lambda text: f"CAST({text} AS timestamp)",
    "LEFT JOIN UNNEST(CAST(json_parse(p.customers) AS array(varchar))) AS listed (customer) ON TRUE",
)


@dataclass(frozen=True)
class View:
    """One view: what a row of it is, what its columns mean, and its SELECT."""

    name: str
    meaning: str
    columns: Mapping[str, str]
    select: Callable[[Dialect], str]


_LENGTHS = {
    "half": "'6' MONTH",
    "quarter": "'3' MONTH",
    "year": "'1' YEAR",
    "month": "'1' MONTH",
    "week": "'7' DAY",
    "day": "'1' DAY",
    "hour": "'1' HOUR",
    "minute": "'1' MINUTE",
    "second": "'1' SECOND",
}
_COARSE = "'half', 'quarter', 'year', 'month', 'week'"
"""Precisions with which a date is a placeholder, and no day."""


def _upcoming_launches(dialect: Dialect) -> str:
    year = dialect.start_of("year", "date_utc")
    half = f"""CASE
             WHEN EXTRACT(MONTH FROM date_utc) < 7 THEN {year}
             ELSE {year} + INTERVAL '6' MONTH
           END"""
    starts = {unit: half if unit == "half" else dialect.start_of(unit, "date_utc") for unit in _LENGTHS}
    whens = "\n".join(f"           WHEN '{unit}' THEN {start}" for unit, start in starts.items())
    ends = "\n".join(f"         WHEN '{unit}' THEN window_start_utc + INTERVAL {length}" for unit, length in _LENGTHS.items())
    facts = "launch_id, name, rocket_name, launchpad_name, date_utc, date_precision"
    return f"""SELECT {facts},
       window_start_utc,
       CASE date_precision
{ends}
       END AS window_end_utc
FROM (
  SELECT {facts},
         CASE date_precision
{whens}
         END AS window_start_utc
  FROM launches
  WHERE status = 'upcoming'
) AS dated"""


def _booster_flights(dialect: Dialect) -> str:
    return f"""SELECT core_id, core_serial, core_flight_number, launch_id, name, date_utc, date_precision, landing_attempt,
       landing_success, landing_type, landpad_name, previous_launch_id,
       CASE
         WHEN date_precision IN ({_COARSE}) THEN NULL
         WHEN previous_precision IN ({_COARSE}) THEN NULL
         ELSE {dialect.seconds("previous_date_utc", "date_utc")} / 86400e0
       END AS turnaround_days
FROM (
  SELECT c.core_id, c.core_serial, c.core_flight_number, c.launch_id, l.name, l.date_utc, l.date_precision,
         c.landing_attempt, c.landing_success, c.landing_type, c.landpad_name,
         LAG(c.launch_id) OVER (PARTITION BY c.core_id ORDER BY l.date_utc, c.launch_id) AS previous_launch_id,
         LAG(l.date_utc) OVER (PARTITION BY c.core_id ORDER BY l.date_utc, c.launch_id) AS previous_date_utc,
         LAG(l.date_precision) OVER (PARTITION BY c.core_id ORDER BY l.date_utc, c.launch_id) AS previous_precision
  FROM launch_cores c
  JOIN launches l ON l.launch_id = c.launch_id
  WHERE c.core_id IS NOT NULL AND l.status <> 'upcoming'
) AS flights"""


def _landing_rate_by_year(_: Dialect) -> str:
    return """SELECT launch_year,
       COUNT(*) AS attempts,
       COUNT(CASE WHEN landing_success THEN 1 END) AS landed,
       COUNT(CASE WHEN landing_success THEN 1 END) / (1e0 * COUNT(*)) AS landing_rate
FROM launch_cores
WHERE landing_attempt AND landing_success IS NOT NULL
GROUP BY launch_year"""


def _launches_by_customer_and_orbit(dialect: Dialect) -> str:
    return f"""SELECT TRIM(listed.customer) AS customer,
       TRIM(p.orbit) AS orbit,
       COUNT(DISTINCT CASE WHEN l.status <> 'upcoming' THEN p.launch_id END) AS launches,
       COUNT(DISTINCT CASE WHEN l.status = 'upcoming' THEN p.launch_id END) AS upcoming_launches,
       COUNT(DISTINCT p.row_hash) AS payloads
FROM launch_payloads p
JOIN launches l ON l.launch_id = p.launch_id
{dialect.listed}
GROUP BY TRIM(listed.customer), TRIM(p.orbit)"""


def _slips_per_launch(dialect: Dialect) -> str:
    seconds = dialect.seconds(dialect.as_time("c.old_value"), dialect.as_time("c.new_value"))
    return f"""SELECT launch_id, source, name, date_utc, date_precision,
       COUNT(CASE WHEN seconds > 0 THEN 1 END) AS slips,
       COUNT(CASE WHEN seconds < 0 THEN 1 END) AS advances,
       SUM(seconds) / 86400e0 AS days,
       MAX(changed_at) AS last_changed_at
FROM (
  SELECT c.launch_id, c.source, l.name, l.date_utc, l.date_precision, c.changed_at,
         {seconds} AS seconds
  FROM launch_changes c
  LEFT JOIN launches l ON l.launch_id = c.launch_id
  WHERE c.column_name = 'date_utc'
    AND NOT EXISTS (
      SELECT 1 FROM launch_changes o
      WHERE o.launch_id = c.launch_id AND o.run_id = c.run_id AND o.column_name = 'date_precision'
    )
) AS moves
GROUP BY launch_id, source, name, date_utc, date_precision"""


def _mass_to_orbit(_: Dialect) -> str:
    return """SELECT p.launch_year,
       COUNT(DISTINCT p.launch_id) AS launches,
       COUNT(*) AS payloads,
       COUNT(*) - COUNT(p.mass_kg) AS payloads_without_mass,
       SUM(p.mass_kg) AS mass_kg
FROM launch_payloads p
JOIN launches l ON l.launch_id = p.launch_id
WHERE l.status = 'success'
GROUP BY p.launch_year"""


_LAUNCH = {"launch_id": "The launch's id in the source", "name": "Mission name"}
_DATED = {"date_utc": "Launch time, UTC; see date_precision", "date_precision": "How much of date_utc is known"}

VIEWS: dict[str, View] = {
    view.name: view
    for view in (
        View(
            "upcoming_launches",
            "A launch to come, and the window that its date and the precision of its date leave open",
            _LAUNCH
            | {"rocket_name": "Rocket's name", "launchpad_name": "Pad's short name"}
            | _DATED
            | {
                "window_start_utc": "The first instant at which it may be; null where the precision is not known",
                "window_end_utc": "The first instant after the window",
            },
            _upcoming_launches,
        ),
        View(
            "booster_flights",
            "A flight of a booster that is known, launches to come left out",
            {
                "core_id": "Booster",
                "core_serial": "Booster's serial",
                "core_flight_number": "Which flight of the booster this was, as the source counts",
                **_LAUNCH,
                **_DATED,
                "landing_attempt": "Was meant to land",
                "landing_success": "Landed; null when not tried or not known",
                "landing_type": "ASDS (ship), RTLS (land), Ocean",
                "landpad_name": "Landing pad's short name",
                "previous_launch_id": "The booster's flight before; null for its first",
                "turnaround_days": "Days since that flight; null for the first, and where a date is no more exact than a week",
            },
            _booster_flights,
        ),
        View(
            "landing_rate_by_year",
            "A year's landings: boosters that were meant to land and whose outcome is known",
            {
                "launch_year": "Year",
                "attempts": "Boosters that were meant to land, and of which it is known whether they did",
                "landed": "How many did",
                "landing_rate": "The share that did, from 0 to 1",
            },
            _landing_rate_by_year,
        ),
        View(
            "launches_by_customer_and_orbit",
            "A customer and an orbit: a launch counts for each of its payloads' customers",
            {
                "customer": "Customer; null for payloads without one",
                "orbit": "Orbit; null where not known",
                "launches": "Launches, those to come left out",
                "upcoming_launches": "Launches to come",
                "payloads": "Payloads of both",
            },
            _launches_by_customer_and_orbit,
        ),
        View(
            "slips_per_launch",
            "A launch whose date has moved; a date that moved together with its precision is no slip",
            {
                "launch_id": "The launch's id in the source",
                "source": "The API whose launch it is",
                "name": "Mission name; null when the launch is gone",
                **_DATED,
                "slips": "How often it moved to a later date",
                "advances": "How often it moved to an earlier one",
                "days": "By how many days in all; negative when it is earlier than it was",
                "last_changed_at": "When the last move was found, UTC",
            },
            _slips_per_launch,
        ),
        View(
            "mass_to_orbit",
            "A year's mass to orbit: what successful launches carried, at least",
            {
                "launch_year": "Year",
                "launches": "Successful launches with a payload",
                "payloads": "Their payloads",
                "payloads_without_mass": "Payloads whose mass is not known, and is missing in the sum",
                "mass_kg": "Sum of the masses that are known, kg; null when none is",
            },
            _mass_to_orbit,
        ),
    )
}
"""All views, by name."""
