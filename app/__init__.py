"""SpaceX launches, proven equal in Parquet on S3 and in MySQL."""

__version__ = "0.1.0"
