"""The job by hand, by somebody who knows the tools: Arrow from the JSON on, LOAD DATA into the database; nothing is checked."""

import os
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.dataset as ds
import pyarrow.fs
import pymysql

TYPES = {"string": "TEXT", "int64": "BIGINT", "double": "DOUBLE", "bool": "BOOLEAN", "timestamp[us]": "DATETIME(6)"}


def flat(record: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested fields as columns, lists as JSON."""
    found = {}
    for name, value in record.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}_")
        else:
            found[prefix + name] = orjson.dumps(value).decode() if isinstance(value, list) else value
    return found


with urllib.request.urlopen(f"{os.environ['SOURCE_URL']}/v5/launches", timeout=600) as answer:  # noqa: S310  # it is HTTP
    table = pa.Table.from_pylist([flat(record) for record in orjson.loads(answer.read())])
table = table.drop_columns([name for name in table.column_names if table[name].null_count == len(table)])
dates = table["date_utc"].cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))
table = table.set_column(table.column_names.index("date_utc"), "date_utc", dates).append_column("launch_year", pc.year(dates))
ds.write_dataset(
    table,
    f"{os.environ['S3_BUCKET']}/launches",
    filesystem=pyarrow.fs.S3FileSystem(
        endpoint_override=os.environ["AWS_ENDPOINT_URL"], region=os.environ["AWS_DEFAULT_REGION"], scheme="http"
    ),
    format="parquet",
    partitioning=ds.partitioning(pa.schema([("launch_year", pa.int64())]), flavor="hive"),
    existing_data_behavior="delete_matching",
)
numbers = {field.name: pa.int8() for field in table.schema if field.type == pa.bool_()}
rows = pa.table({name: table[name].cast(numbers[name]) if name in numbers else table[name] for name in table.column_names})
file = Path(tempfile.gettempdir(), "launches.csv")
pyarrow.csv.write_csv(rows, file, pyarrow.csv.WriteOptions(include_header=False, quoting_style="needed"))
columns = ", ".join(f"`{field.name}` {TYPES[str(field.type)]}" for field in table.schema)
connection = pymysql.connect(
    host=os.environ["MYSQL_HOST"],
    port=int(os.environ["MYSQL_PORT"]),
    user=os.environ["MYSQL_USER"],
    password=os.environ["MYSQL_PASSWORD"],
    database=os.environ["MYSQL_DATABASE"],
    charset="utf8mb4",
    local_infile=True,
)
with connection, connection.cursor() as cursor:
    cursor.execute("DROP TABLE IF EXISTS launches")
    cursor.execute(f"CREATE TABLE launches ({columns})")
    cursor.execute(
        f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE launches CHARACTER SET utf8mb4 FIELDS TERMINATED BY ',' "
        "OPTIONALLY ENCLOSED BY '\"' ESCAPED BY '' LINES TERMINATED BY '\\n'"
    )
    connection.commit()
