"""A random soak: a source that evolves, runs that are disturbed in every way, and a second statement of what must come of it."""
