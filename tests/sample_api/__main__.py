"""The sample API as a program."""

import argparse
import contextlib
from pathlib import Path

from tests.sample_api import Fault, SampleApi, records
from tests.sample_api.faults import parse_fault


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.sample_api", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="loopback port (default: a free one)")
    parser.add_argument("-n", type=int, default=records.LAUNCHES, metavar="N", help=f"launches (default: {records.LAUNCHES})")
    parser.add_argument("--recorded", type=Path, metavar="DIR", help="serve the recorded answers in DIR instead")
    parser.add_argument("--snapshot", metavar="MONTH", help="of the recorded answers: an earlier v4 state, such as 2022-09")
    parser.add_argument(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        metavar="SPEC",
        help="launches:status=503,retry_after=2,first=2 or launches/query:stuck or '*:hang_s=5'; may be repeated",
    )
    parser.add_argument(
        "--changed",
        type=_change,
        action="append",
        default=[],
        metavar="SHARE:WHERE",
        help="serve that share of the launches with other details: 0.01:spread over all years, or 0.01:newest; may be repeated",
    )
    parser.add_argument("--long", action="store_true", help="details and links as long and as many as the real ones")
    options = parser.parse_args()
    if options.snapshot and not options.recorded:
        parser.error("--snapshot needs --recorded")
    if len(dict(options.fault)) < len(options.fault):
        parser.error("--fault: one for each endpoint")
    with contextlib.suppress(KeyboardInterrupt):
        _serve(options)


def _serve(options: argparse.Namespace) -> None:
    launch = records.as_long_as_recorded(records.launch) if options.long else records.launch
    for share, where in options.changed:
        launch = records.changed_launch(options.n, share, where, launch)
    api = SampleApi(
        n=options.n,
        launch=launch,
        recorded=options.recorded,
        snapshot=options.snapshot,
        faults=dict(options.fault),
        port=options.port,
    )
    if not options.recorded:
        api.warm_up()
    with api:
        print(f"sample API: {api.url}", flush=True)
        api.join()


def _fault(spec: str) -> tuple[str, Fault]:
    try:
        return parse_fault(spec)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _change(spec: str) -> tuple[float, str]:
    share, _, where = spec.partition(":")
    if where not in {"spread", "newest"} or not 0 < float(share) <= 1:
        raise ValueError(spec)
    return float(share), where


if __name__ == "__main__":
    main()
