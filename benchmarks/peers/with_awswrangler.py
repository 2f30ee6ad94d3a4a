"""The job with the AWS SDK for pandas."""

import os

import awswrangler as wr
import pymysql
from launches import BUCKET, launches

table = launches()
wr.s3.to_parquet(
    table,
    path=f"s3://{BUCKET}/launches/",
    dataset=True,
    partition_cols=["launch_year"],
    mode="overwrite",
)
connection = pymysql.connect(
    host=os.environ["MYSQL_HOST"],
    port=int(os.environ["MYSQL_PORT"]),
    user=os.environ["MYSQL_USER"],
    password=os.environ["MYSQL_PASSWORD"],
    database=os.environ["MYSQL_DATABASE"],
    charset="utf8mb4",
)
with connection:
    wr.mysql.to_sql(
        table,
        con=connection,
        schema=os.environ["MYSQL_DATABASE"],
        table="launches",
        mode="overwrite",
        chunksize=5_000,  # of 200 rows, which it takes by itself, each INSERT costs several times as much a row
    )
