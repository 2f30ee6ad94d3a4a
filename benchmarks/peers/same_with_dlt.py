"""The pipeline's own job with dlt, as its documentation has it: nested lists become tables, records merge by their ids.

The lookups are tables beside the launches, to be joined. Files in S3 can't be merged, and are replaced.
"""

import os
from typing import Any

import dlt
import requests
from launches import BUCKET, mysql_url

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"


def fetched(path: str) -> Any:
    answer = requests.get(os.environ["SOURCE_URL"] + path, timeout=600)
    answer.raise_for_status()
    return answer.json()


kinds = ("rockets", "launchpads", "landpads", "payloads", "cores", "crew")
records = {kind: fetched(f"/v4/{kind}") for kind in kinds} | {"launches": fetched("/v5/launches")}
for name, destination, disposition, file_format in (
    ("to_s3", dlt.destinations.filesystem(f"s3://{BUCKET}"), "replace", "parquet"),
    ("to_mysql", dlt.destinations.sqlalchemy(mysql_url().render_as_string(hide_password=False)), "merge", None),
):
    pipeline = dlt.pipeline(name, destination=destination, dataset_name=os.environ["MYSQL_DATABASE"])
    resources = [dlt.resource(rows, name=kind, primary_key="id") for kind, rows in records.items()]
    pipeline.run(resources, write_disposition=disposition, loader_file_format=file_format)
