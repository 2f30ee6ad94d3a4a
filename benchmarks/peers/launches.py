"""What the peers have in common: the list of launches as one flat DataFrame, and where it goes."""

import json
import os

import pandas as pd
import requests
import sqlalchemy

BUCKET = os.environ["S3_BUCKET"]


def launches() -> pd.DataFrame:
    """All launches, nested fields as columns, lists as JSON."""
    answer = requests.get(f"{os.environ['SOURCE_URL']}/v5/launches", timeout=600)
    answer.raise_for_status()
    table = pd.json_normalize(answer.json(), sep="_").dropna(axis="columns", how="all")
    for name in table:
        if isinstance(table[name].dropna().iloc[0], list):
            table[name] = table[name].map(json.dumps)
    table["date_utc"] = pd.to_datetime(table["date_utc"]).dt.tz_localize(None)
    return table.assign(launch_year=table["date_utc"].dt.year)


def mysql_url() -> sqlalchemy.URL:
    """The database."""
    return sqlalchemy.URL.create(
        "mysql+pymysql",
        os.environ["MYSQL_USER"],
        os.environ["MYSQL_PASSWORD"],
        os.environ["MYSQL_HOST"],
        int(os.environ["MYSQL_PORT"]),
        os.environ["MYSQL_DATABASE"],
        {"charset": "utf8mb4"},
    )
