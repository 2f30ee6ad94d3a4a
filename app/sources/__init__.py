"""One module per API: its endpoints and its mapping to the canonical rows."""
