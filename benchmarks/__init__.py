"""The pipeline and its peers, side by side on the same source, bucket and database server."""
