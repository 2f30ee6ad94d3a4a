"""Whether the data can be trusted: what proves it, when it did, and what speaks against it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from ..core.model import Manifest
from ..core.runs import PastRun, RunState
from .format import counted, minute, named, span

_WORST_FIRST = ("bad", "warn", "", "good")
_NAMED = 3
_UNFINISHED = {
    RunState.FAILED: ("bad", "the last run failed", "failed; the page shows what was published before it."),
    RunState.RUNNING: (
        "warn",
        "a run has not ended",
        "is at work or was interrupted; the page shows what was published before it.",
    ),
    RunState.MERGED: (
        "warn",
        "a run has not published",
        "has changed MySQL and not published yet; MySQL may be ahead of this page until the next run.",
    ),
}
_GOOD = (RunState.PUBLISHED, RunState.UNCHANGED)


@dataclass(frozen=True)
class Evidence:
    """What is known of the stores when the page is made.

    `runs` are newest first. `departures` say where the stores are not what the manifest names; `lost` are the partitions whose
    rows neither store holds any more, and which the page lacks.
    """

    now: datetime
    runs: Sequence[PastRun]
    departures: Sequence[str]
    lost: Sequence[str]
    stale_days: int

    def is_stale(self, manifest: Manifest) -> bool:
        """Whether the newest launch is older than it should be."""
        newest = manifest.newest_launch_utc
        return newest is None or self.now - newest > timedelta(days=self.stale_days)


class Verdict(NamedTuple):
    """`good`, `warn`, `bad` or neither; a name for it; and the sentence that says the same."""

    kind: str
    name: str
    sentence: str


def verdicts(manifest: Manifest, evidence: Evidence) -> list[Verdict]:
    """What speaks against the data, the worst first, and then every proof."""
    found = [*_of_stores(evidence), *_of_age(manifest, evidence), *_of_gaps(manifest), *_of_proofs(manifest, evidence)]
    return sorted(found, key=lambda one: _WORST_FIRST.index(one.kind))


def headline(manifest: Manifest, evidence: Evidence, found: Sequence[Verdict]) -> Verdict:
    """All verdicts in one line, of the kind of the worst; and by what and when the stores were last proven."""
    against = [one.name for one in found if one.kind in ("bad", "warn")]
    proven = "Proven when published" if evidence.departures or evidence.lost else "Proven"
    words = f"{proven}, but: {'; '.join(against)}" if against else "Proven: S3 and MySQL hold the same"
    proof = next((run for run in since(manifest, evidence.runs) if run.state is RunState.UNCHANGED), None)
    by, at = (named(proof), proof.started_at) if proof else (_publisher(manifest, evidence), manifest.published_at)
    return Verdict(found[0].kind if against else "good", words, f"{by} proved it last, {_when(at, evidence)}.")


def since(manifest: Manifest, runs: Sequence[PastRun]) -> Sequence[PastRun]:
    """The runs after the one that published, newest first."""
    places = (place for place, run in enumerate(runs) if run.run_id == manifest.run_id)
    return runs[: next(places, len(runs))]


def last_read(manifest: Manifest, evidence: Evidence) -> datetime:
    """When the source was last asked, and gave what this snapshot holds."""
    asked = (run.started_at for run in since(manifest, evidence.runs) if run.state in _GOOD and run.command != "verify")
    return max(manifest.as_of, next(asked, manifest.as_of))


def _of_stores(evidence: Evidence) -> list[Verdict]:
    found = []
    newest = evidence.runs[0] if evidence.runs else None
    if evidence.lost:
        sentence = f"Neither store holds the rows of {_some(evidence.lost)} any more: the figures lack them."
        found.append(Verdict("bad", "rows are lost", sentence))
    if evidence.departures:
        at_work = newest is not None and newest.state in (RunState.RUNNING, RunState.MERGED)
        sentence = f"When this page was made, the stores were not as published: {_some(evidence.departures)}."
        found.append(Verdict("warn" if at_work else "bad", "the stores have changed since", sentence))
    if newest and newest.state is RunState.FAILED and newest.command == "verify":
        sentence = f"{named(newest)} failed: the stores may not be as published until a run has repaired them."
        found.append(Verdict("bad", "the last verify failed", sentence))
    elif newest and newest.state in _UNFINISHED:
        kind, name, words = _UNFINISHED[newest.state]
        found.append(Verdict(kind, name, f"{named(newest)} {words}"))
    return found


def _of_age(manifest: Manifest, evidence: Evidence) -> list[Verdict]:
    found = []
    if evidence.is_stale(manifest):
        sentence = "The newest launch is older than it should be: the source may no longer be maintained."
        found.append(Verdict("bad", "stale", sentence))
    read = last_read(manifest, evidence)
    if evidence.now - read > timedelta(days=evidence.stale_days):
        sentence = f"No run has read the source for {span(evidence.now - read)}: what has happened since is not here."
        found.append(Verdict("bad", "the source was not read lately", sentence))
    return found


def _of_gaps(manifest: Manifest) -> list[Verdict]:
    found = []
    missing = sum(use.references - use.resolved for use in manifest.lookups.values())
    if manifest.rejected:
        launches = counted(manifest.rejected, "launch was rejected and is", "launches were rejected and are")
        sentence = f"{launches} missing or as before."
        found.append(Verdict("warn", "launches were rejected", sentence))
    if missing:
        references = counted(missing, "reference", "references")
        sentence = f"{references} to other records (boosters, pads, payloads, …) could not be resolved."
        found.append(Verdict("warn", "gaps in lookups", sentence))
    return found


def _of_proofs(manifest: Manifest, evidence: Evidence) -> list[Verdict]:
    """The proofs, the newest first: now, at the last verify, by an unchanged run, at publication."""
    found = []
    later = since(manifest, evidence.runs)
    if not evidence.departures:
        sentence = "When this page was made, both stores were still as published: MySQL by value, S3 by version."
        found.append(Verdict("good", "now", sentence))
    found += _of_verify(evidence, later)
    again = next((run for run in later if run.is_unchanged), None)
    if again:
        sentence = f"{named(again)} proved again that both stores are as published: MySQL by value, S3 by version, "
        found.append(Verdict("good", "again", f"{sentence}{_when(again.started_at, evidence)}."))
    sentence = f"{_publisher(manifest, evidence)} compared the contents of what it wrote to S3 and MySQL before it published, "
    found.append(Verdict("good", "published", f"{sentence}{_when(manifest.published_at, evidence)}: equal."))
    return found


def _publisher(manifest: Manifest, evidence: Evidence) -> str:
    return next((named(run) for run in evidence.runs if run.run_id == manifest.run_id), f"Run {manifest.run_id}")


def _of_verify(evidence: Evidence, later: Sequence[PastRun]) -> list[Verdict]:
    """What the newest verify that ended came to; one that is the newest run and failed is among the stores' verdicts."""
    ended = (RunState.UNCHANGED, RunState.FAILED)
    last = next((run for run in evidence.runs if run.command == "verify" and run.state in ended), None)
    if last is None:
        among = counted(len(evidence.runs), "run", "runs")
        return [Verdict("", "not verified", f"No verify, which reads everything back, is among the last {among}.")]
    what = f"{named(last)} {{}}, {_when(last.started_at, evidence)}"
    if last.state is RunState.FAILED:
        sentence = f"{what.format('failed')}; none has succeeded since."
        return [Verdict("", "verify failed", sentence)] if last is not evidence.runs[0] else []
    if last in later:
        return [Verdict("good", "verified", f"{what.format('read everything back, the raw archive too')}: equal.")]
    return [Verdict("", "verified before", f"{what.format('read everything back')}: equal; this snapshot is newer.")]


def _when(at: datetime, evidence: Evidence) -> str:
    return f"{minute(at)} UTC ({span(max(evidence.now - at, timedelta(0)))} before this page)"


def _some(texts: Sequence[str]) -> str:
    rest = len(texts) - _NAMED
    return "; ".join(texts[:_NAMED]) + (f"; and {rest:,} more" if rest > 0 else "")
