"""The job with dlt: one pipeline for each store."""

import os

import dlt
from launches import BUCKET, launches, mysql_url

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
table = launches()
for name, destination in (
    ("to_s3", dlt.destinations.filesystem(f"s3://{BUCKET}")),
    ("to_mysql", dlt.destinations.sqlalchemy(mysql_url().render_as_string(hide_password=False))),
):
    pipeline = dlt.pipeline(name, destination=destination, dataset_name=os.environ["MYSQL_DATABASE"])
    pipeline.run(
        [table],
        table_name="launches",
        write_disposition="replace",
        loader_file_format="parquet",
    )
