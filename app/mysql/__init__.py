"""The MySQL database: the session, every SQL text, the tables and their migration, the warehouse on top of them."""
