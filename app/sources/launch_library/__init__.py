"""Launch Library 2.3.0 of The Space Devs, within its budget of requests."""

from .api import make as make

NOT_KEPT: dict[str, str] = {
    "url, slug, response_mode, flightclub_url": "addresses and marks of the API",
    "id of mission, rocket, stage, flight and landing": "numbers of records that are parts of one launch",
    "name": "rocket and mission in one text; both have columns (it is `name` where there is no mission)",
    "launch_designator": "the international designator; in the raw archive",
    "last_updated": "says when the record changed, not what happened; the manifest has the newest",
    "image, infographic, program, updates, timeline, hashtag": "news and pictures of a launch; in the raw archive",
    "probability, weather_concerns": "a forecast, which is no fact about the launch; in the raw archive",
    "launch_service_provider": "the same for all rows: the one that was asked for",
    "webcast_live": "true for some minutes",
    "…_launch_attempt_count, …_year, pad_turnaround": "counts over other rows; the agency's count is flight_number",
    "status.name, net_precision.name": "status, tbd and date_precision say it in the contract's words",
    "mission.type, mission.agencies, mission.image": "facts about missions, not about launches; in the raw archive",
    "rocket.configuration's other fields": "facts about rockets, not about launches; in the raw archive",
    "rocket.launcher_stage.type, previous_flight…, turn_around_time": "place in the rocket, and what other rows say",
    "landing.description, landing.downrange_distance": "no column until one is needed; in the raw archive",
    "rocket.spacecraft_stage's other fields": "what happens to a spacecraft after the launch; in the raw archive",
    "rocket.payloads.destination, landing, docking_events": "what happens to a payload after the launch; in the raw archive",
    "rocket.payloads.amount": "one row for each of the payloads alike",
    "pad's and location's other fields": "facts about places; in the raw archive",
    "info_urls, vid_urls beyond the first": "webcast_url (official first), article_url and wikipedia_url have one each",
}
"""Fields without a column, and why."""

NEVER_FILLED: dict[str, tuple[str, ...]] = {
    "launches": (
        *("date_local", "net", "static_fire_date_utc", "launchpad_full_name", "launchpad_region"),
        *(
            "has_fairings",
            "fairings_reused",
            "fairings_recovery_attempt",
            "fairings_recovered",
            "fairings_ship_ids",
            "ship_ids",
        ),
        *("presskit_url", "patch_small_url"),
        *("reddit_campaign_url", "reddit_launch_url", "reddit_media_url", "reddit_recovery_url", "auto_update"),
    ),
    "launch_cores": ("core_block", "gridfins", "legs", "landpad_region"),
    "launch_payloads": (
        *("reused", "norad_ids", "regime", "reference_system", "longitude", "semi_major_axis_km", "eccentricity"),
        *("periapsis_km", "apoapsis_km", "inclination_deg", "period_min", "raan_deg", "arg_of_pericenter_deg"),
        *("mean_anomaly_deg", "mean_motion", "epoch_utc", "lifespan_years", "dragon_capsule_id"),
        *("dragon_mass_returned_kg", "dragon_flight_time_s", "dragon_manifest_url", "dragon_water_landing"),
        "dragon_land_landing",
    ),
    "launch_failures": ("time_s", "altitude_km"),
    "launch_crew": (),
}
"""Columns that this source never fills, by table: there they are always null."""
