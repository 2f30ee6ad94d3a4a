"""The published tables as Apache Iceberg tables, where ICEBERG_CATALOG is set; imported there alone."""
