"""Recorded answers of the real API, from a folder of them."""

import json
from pathlib import Path

_FINAL = "spacex_v4"


def recorded(folder: Path, snapshot: str | None = None) -> dict[str, bytes]:
    """Every endpoint's answer.

    An earlier snapshot, such as `2022-09`, has launches and launch pads of its own, as v4 only; the rest is of the
    final state. Raises OSError when a file is missing.
    """
    final = folder / _FINAL
    then = folder / f"{_FINAL}_{snapshot}" if snapshot else final
    landpads = json.loads((final / "landpads.wrapped.json").read_bytes())["data"]
    answers = {
        "v4/launches": (then / "launches.json").read_bytes(),
        "v4/launchpads": (then / "launchpads.json").read_bytes(),
        "v4/rockets": (final / "rockets.json").read_bytes(),
        "v4/payloads": (final / "payloads.json").read_bytes(),
        "v4/landpads": json.dumps(landpads).encode(),
        "v4/cores": (final / "cores.reduced.json").read_bytes(),
        "v4/crew": b"[]",  # nobody recorded it
    }
    library = folder / "launch_library_2" / "v2.3.0_launches_page1.json"
    answers["2.3.0/launches"] = json.dumps(json.loads(library.read_bytes())["results"]).encode()  # the first page is all there is
    if not snapshot:
        answers["v5/launches"] = (folder / "spacex_v5" / "launches.json").read_bytes()
    return answers
