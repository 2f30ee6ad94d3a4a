"""The job with pandas alone: Parquet through s3fs, MySQL through SQLAlchemy."""

import sqlalchemy
from launches import BUCKET, launches, mysql_url

table = launches()
table.to_parquet(
    f"s3://{BUCKET}/launches",
    index=False,
    partition_cols=["launch_year"],
    existing_data_behavior="delete_matching",
)
with sqlalchemy.create_engine(mysql_url()).begin() as connection:
    # PyMySQL itself makes INSERTs of many rows: three times as fast as method="multi", which has SQLAlchemy build them.
    table.to_sql("launches", connection, if_exists="replace", index=False)
