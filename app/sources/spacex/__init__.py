"""The r-spacex API, v4 and v5; frozen since autumn 2022."""

from .api import make as make

NOT_KEPT: dict[str, str] = {
    "date_unix": "the same instant as date_utc",
    "static_fire_date_unix": "the same instant as static_fire_date_utc",
    "links.flickr": "lists of image addresses; in the raw archive",
    "payload.launch": "the launch that the row belongs to",
    "payload.mass_lbs": "mass_kg in another unit",
    "payload.dragon.mass_returned_lbs": "dragon_mass_returned_kg in another unit",
    "lookups' other fields": "facts about rockets, pads, boosters and people, not about launches; in the raw archive",
}
"""Fields without a column, and why."""
