"""The HTML report of one published snapshot."""
