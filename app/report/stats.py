"""The report's figures, computed on DataFrames of the published tables; the page shows them."""

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any

import pandas as pd

OUTCOMES = ("success", "partial_failure", "failure", "in_flight", "unknown", "upcoming")
OTHER_ORBITS = "other or unknown"
_STILL_TO_COME = ("upcoming", "in_flight")
_FAILED = ("failure", "partial_failure")
_ORBITS = 5
_MOST_GAPS = 60  # years; beyond that the years without a launch are left out


def launches_by_year(launches: pd.DataFrame) -> pd.DataFrame:
    """Launches of each year, one column for each outcome that occurs."""
    outcome = launches["status"].where(launches["status"].isin(OUTCOMES), "unknown")
    counts = pd.crosstab(launches["launch_year"], outcome)
    return _every_year(counts[[name for name in OUTCOMES if name in counts]])


def tally(status: pd.Series) -> dict[str, int]:
    """How many launches took place, went well, have an outcome, and are still to come."""
    found = status.where(status.isin(OUTCOMES), "unknown").value_counts()
    count = {name: int(found.get(name, 0)) for name in OUTCOMES}
    return {
        "launched": sum(count.values()) - count["upcoming"],
        "success": count["success"],
        "decided": count["success"] + count["partial_failure"] + count["failure"],
        "upcoming": count["upcoming"],
    }


def landings_by_year(launches: pd.DataFrame, cores: pd.DataFrame) -> pd.DataFrame:
    """Landings tried in each year: landed, lost and unknown; launches that are still to come are left out."""
    flown = launches.loc[~launches["status"].isin(_STILL_TO_COME), "launch_id"]
    tried = cores[cores["landing_attempt"].fillna(value=False) & cores["launch_id"].isin(flown)]
    by_year = tried.groupby("launch_year")["landing_success"].agg(landed="sum", known="count", tried="size").astype(int)
    return pd.DataFrame(
        {
            "landed": by_year["landed"],
            "lost": by_year["known"] - by_year["landed"],
            "unknown": by_year["tried"] - by_year["known"],
        }
    )


def masses_by_year(launches: pd.DataFrame, payloads: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What each year's successful launches brought up: kilograms by orbit, and payloads with and without a known mass."""
    up = payloads[payloads["launch_id"].isin(launches.loc[launches["status"] == "success", "launch_id"])]
    totals = up.groupby("orbit")["mass_kg"].sum().sort_values(ascending=False)
    named = list(totals[totals > 0].index[:_ORBITS])
    masses = up.assign(orbit=up["orbit"].where(up["orbit"].isin(named), OTHER_ORBITS))
    kg = masses.pivot_table(index="launch_year", columns="orbit", values="mass_kg", aggfunc="sum", fill_value=0).astype(float)
    shown = [name for name in dict.fromkeys([*named, OTHER_ORBITS]) if name in kg and kg[name].sum() > 0]
    counts = up.groupby("launch_year")["mass_kg"].agg(known="count", listed="size").astype(int)
    known = pd.DataFrame({"known": counts["known"], "unknown": counts["listed"] - counts["known"]})
    return _every_year(kg[shown]), _every_year(known)


def moves(launches: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """Every change of a launch's date, newest first, with the precisions that held before and after it.

    `kind` is later, earlier, or precision: another precision moves the placeholder, which is no slip.
    """
    changes = changes.sort_values(["changed_at", "launch_id"])
    changes = changes.rename(columns={"column_name": "column", "old_value": "old", "new_value": "new"})
    dates = changes[(changes["column"] == "date_utc") & changes["old"].notna() & changes["new"].notna()]
    found = dates.merge(launches[["launch_id", "name", "date_precision"]], on="launch_id", how="left")
    found["old"], found["new"] = _times(found["old"]), _times(found["new"])
    found = found[found["old"].notna() & found["new"].notna()].reset_index(drop=True)
    found["by"] = found["new"] - found["old"]
    precisions = changes.loc[changes["column"] == "date_precision", ["launch_id", "changed_at", "old"]]
    found["old_precision"] = _precision_until_next(found, precisions, including_now=True)
    found["new_precision"] = _precision_until_next(found, precisions, including_now=False)
    precise = found["old_precision"].fillna("") == found["new_precision"].fillna("")
    found["kind"] = (found["by"] > pd.Timedelta(0)).map({True: "later", False: "earlier"}).where(precise, "precision")
    return found[::-1].reset_index(drop=True)


def moves_by_month(found: pd.DataFrame, last: datetime) -> pd.DataFrame:
    """Changes of dates by the month in which a run found them and by kind, from the first to the last, a year at least."""
    month = _local(found["changed_at"]).dt.to_period("M")
    end = max(pd.Period(last.replace(tzinfo=None), "M"), month.max())
    start = min(month.min(), end - 11)
    counts = pd.crosstab(month, found["kind"])
    months = pd.period_range(start, end, freq="M")
    return counts.reindex(index=months, columns=["later", "earlier", "precision"], fill_value=0)


def next_launches(launches: pd.DataFrame, count: int) -> pd.DataFrame:
    """The launches that are still to come, the nearest first."""
    coming = launches[launches["status"].isin(_STILL_TO_COME)]
    return coming.sort_values(["date_utc", "launch_id"]).head(count)


def last_launches(launches: pd.DataFrame, count: int) -> pd.DataFrame:
    """The launches that took place, the newest first."""
    flown = launches[~launches["status"].isin(_STILL_TO_COME)]
    return flown.sort_values(["date_utc", "launch_id"], ascending=False).head(count)


def boosters(launches: pd.DataFrame, cores: pd.DataFrame) -> pd.DataFrame:
    """Boosters by flights, most first: flights, landings, last flight, and their shortest and median turn-around."""
    flown = launches.loc[~launches["status"].isin(_STILL_TO_COME), ["launch_id", "date_utc"]]
    flights = cores[cores["core_id"].notna()].merge(flown, on="launch_id").sort_values(["core_id", "date_utc"])
    flights["date_utc"] = _local(flights["date_utc"])
    flights["turnaround"] = flights.groupby("core_id")["date_utc"].diff()
    found = flights.groupby("core_id").agg(
        serial=("core_serial", "last"),
        flights=("launch_id", "nunique"),
        landed=("landing_success", "sum"),
        last_flight=("date_utc", "max"),
        shortest=("turnaround", "min"),
        typical=("turnaround", "median"),
    )
    return found.reset_index().sort_values(["flights", "last_flight", "core_id"], ascending=[False, False, True])


def customers(launches: pd.DataFrame, payloads: pd.DataFrame) -> pd.DataFrame:
    """Customers by launches that took place, most first: launches, payloads, and kilograms as far as known."""
    flown = launches.loc[~launches["status"].isin(_STILL_TO_COME), "launch_id"]
    named = payloads[payloads["launch_id"].isin(flown) & payloads["customers"].notna()]
    each = named.assign(customer=[json.loads(text) for text in named["customers"]]).explode("customer")
    found = (
        each[each["customer"].notna()]
        .groupby("customer")
        .agg(launches=("launch_id", "nunique"), payloads=("launch_id", "size"), kg=("mass_kg", "sum"))
    )
    return found.reset_index().sort_values(["launches", "payloads", "customer"], ascending=[False, False, True])


def failures(launches: pd.DataFrame, failed: pd.DataFrame) -> pd.DataFrame:
    """Failures with their reasons, the newest first; launches that failed without any that the source names are among them."""
    facts = launches[["launch_id", "name", "date_utc", "date_precision", "rocket_name"]]
    unnamed = launches["status"].isin(_FAILED) & ~launches["launch_id"].isin(failed["launch_id"])
    found = failed.merge(facts[unnamed | launches["launch_id"].isin(failed["launch_id"])], on="launch_id", how="right")
    return found.sort_values(["date_utc", "launch_id", "position"], ascending=[False, True, True])


def nulls(rows: pd.DataFrame, never_filled: Collection[str]) -> pd.DataFrame:
    """The columns that have nulls, those with most first, those that the source never fills last."""
    found = rows.isna().sum().rename_axis("column").reset_index(name="nulls")
    found["never_filled"] = found["column"].isin(list(never_filled))
    found = found[found["nulls"] > 0]
    return found.sort_values(["never_filled", "nulls", "column"], ascending=[True, False, True])


def records(found: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as dicts of plain values, None for null."""
    plain = found.astype(object).where(found.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]


def _every_year(found: pd.DataFrame) -> pd.DataFrame:
    """From the first to the last year, the years without anything too."""
    if found.empty:
        return found
    first, last = int(found.index.min()), int(found.index.max())
    return found.sort_index() if last - first > _MOST_GAPS else found.reindex(range(first, last + 1), fill_value=0)


def _precision_until_next(found: pd.DataFrame, precisions: pd.DataFrame, *, including_now: bool) -> pd.Series:
    """What the launch's next change of precision replaced, or what holds today if there is none."""
    left = pd.DataFrame({"launch_id": found["launch_id"].astype(object), "at": _local(found["changed_at"])})
    right = pd.DataFrame({"launch_id": precisions["launch_id"].astype(object), "at": _local(precisions["changed_at"])})
    right["replaced"], right["is_replaced"] = precisions["old"].astype(object), True
    next_ = pd.merge_asof(left, right, on="at", by="launch_id", direction="forward", allow_exact_matches=including_now)
    return next_["replaced"].where(next_["is_replaced"].notna(), found["date_precision"].astype(object))


def _local(times: pd.Series) -> pd.Series:
    """Times in UTC, as pandas' own type, which knows periods and differences."""
    return times.astype("datetime64[us, UTC]").dt.tz_localize(None)


def _times(texts: pd.Series) -> pd.Series:
    """Times without zone; none where a text is no time."""
    found = [_time(text) for text in texts.astype(object)]
    return pd.Series(found, index=texts.index, dtype="datetime64[us]")


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None
