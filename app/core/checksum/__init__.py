"""What makes two stores comparable: a hash a row and a digest a partition.

The row hash covers a text that MySQL can make from the values it holds, with SQL that is valid everywhere: for each fact the
length of its text in bytes, a colon and the text, or a dash for null. `text` makes it with Arrow, `server` is its twin in SQL,
`digest` adds row hashes up to the checksum of a partition; tests hold the three together.
"""
