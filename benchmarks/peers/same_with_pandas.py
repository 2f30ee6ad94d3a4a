"""The pipeline's own job with pandas: five tables, ids resolved, Parquet by year, a keyed merge in one transaction.

Nothing is validated, archived or proven.
"""

import json
import os
from typing import Any

import pandas as pd
import requests
import sqlalchemy
from launches import BUCKET, mysql_url

KEYS = {
    "launches": ["launch_id"],
    "launch_cores": ["launch_id", "position"],
    "launch_payloads": ["launch_id", "position"],
    "launch_crew": ["launch_id", "position"],
    "launch_failures": ["launch_id", "position"],
}


def fetched(path: str) -> Any:
    answer = requests.get(os.environ["SOURCE_URL"] + path, timeout=600)
    answer.raise_for_status()
    return answer.json()


def flat(records: Any) -> pd.DataFrame:
    return pd.json_normalize(records, sep="_")


def children(field: str) -> pd.DataFrame:
    """What a list of each launch holds, one row each."""
    rows = launches[["id", "launch_year", field]].explode(field).dropna(subset=[field])
    rows["position"] = rows.groupby("id").cumcount()
    return rows.rename(columns={"id": "launch_id"}).reset_index(drop=True)


def nested(field: str) -> pd.DataFrame:
    rows = children(field)
    return pd.concat([rows.drop(columns=field), flat(rows[field].tolist())], axis=1)


def resolved(rows: pd.DataFrame, key: str, kind: str, *facts: str) -> pd.DataFrame:
    """Facts of the lookup that an id names."""
    named = {"id": key} | {fact: f"{kind}_{fact}" for fact in facts}
    return rows.merge(lookups[kind][list(named)[:1] + list(facts)].rename(columns=named), how="left", on=key)


def storable(rows: pd.DataFrame) -> pd.DataFrame:
    """Without columns that hold nothing; lists as JSON."""
    rows = rows.dropna(axis="columns", how="all")
    for name in rows:
        filled = rows[name].dropna()
        if len(filled) and isinstance(filled.iloc[0], list | dict):
            rows[name] = rows[name].map(lambda value: json.dumps(value) if isinstance(value, list | dict) else None)
    return rows


lookups = {kind: flat(fetched(f"/v4/{kind}")) for kind in ("rockets", "launchpads", "landpads", "payloads", "cores", "crew")}
launches = flat(fetched("/v5/launches"))
launches["date_utc"] = pd.to_datetime(launches["date_utc"]).dt.tz_localize(None)
launches["launch_year"] = launches["date_utc"].dt.year
cores = resolved(nested("cores"), "core", "cores", "serial", "block")
payloads = lookups["payloads"].drop(columns="launch").rename(columns={"id": "payload"})
places = resolved(launches.drop(columns=["cores", "failures", "crew"]), "rocket", "rockets", "name")
tables = {
    "launches": resolved(places, "launchpad", "launchpads", "name", "full_name", "locality", "region", "timezone"),
    "launch_cores": resolved(cores, "landpad", "landpads", "name", "full_name", "locality", "region"),
    "launch_payloads": children("payloads").rename(columns={"payloads": "payload"}).merge(payloads, how="left", on="payload"),
    "launch_crew": resolved(nested("crew"), "crew", "crew", "name"),
    "launch_failures": nested("failures"),
}
tables["launches"] = tables["launches"].rename(columns={"id": "launch_id"})
tables = {name: storable(rows) for name, rows in tables.items()}
for name, rows in tables.items():
    rows.to_parquet(
        f"s3://{BUCKET}/{name}", index=False, partition_cols=["launch_year"], existing_data_behavior="delete_matching"
    )
with sqlalchemy.create_engine(mysql_url()).begin() as connection:
    for name, rows in tables.items():
        stage, key = f"stage_{name}", KEYS[name]
        rows.to_sql(stage, connection, if_exists="replace", index=False, dtype={"launch_id": sqlalchemy.String(64)})
        columns = [f"`{column}`" for column in rows.columns]
        listed = ", ".join(columns)
        changes = ", ".join(f"{column} = VALUES({column})" for column in columns)
        for statement in (
            f"ALTER TABLE {stage} ADD PRIMARY KEY ({', '.join(key)})",
            f"CREATE TABLE IF NOT EXISTS {name} LIKE {stage}",
            f"INSERT INTO {name} ({listed}) SELECT {listed} FROM {stage} ON DUPLICATE KEY UPDATE {changes}",
            f"DELETE t FROM {name} AS t LEFT JOIN {stage} AS s USING ({', '.join(key)}) WHERE s.launch_id IS NULL",
            f"DROP TABLE {stage}",
        ):
            connection.execute(sqlalchemy.text(statement))
