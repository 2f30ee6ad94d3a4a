"""The program's own calls against its policies, the task's and that of a job on Spark: each is allowed, and nothing is unused.

The calls are those of end-to-end runs, made and recorded here (record/calls.py).
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import pytest
from environment import REPOSITORY, Applied, missing

PROGRAM_S_PYTHON = REPOSITORY / ".venv/bin/python"
GLUE = "arn:aws:glue:us-east-1:123456789012"
LOGS = "arn:aws:logs:us-east-1:123456789012:log-group"


class Need(NamedTuple):
    """One right that a call needs."""

    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = ()


class Right(NamedTuple):
    """One right that the policy gives."""

    sid: str
    action: str
    resource: str


def needs(call: dict[str, Any], bucket: str, group: str) -> list[Need]:
    """The rights that a call needs, on our bucket and log group whatever those of the recorded run were called."""
    given = call["parameters"]
    lake, key = f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/{given.get('Key')}"
    stream = f"{LOGS}:{group}:log-stream:{given.get('logStreamName')}"
    match call["service"], call["operation"]:
        case "s3", "GetObject" | "HeadObject":
            # Of a missing object S3 says 404 only to who may list, and asks without a prefix.
            return [Need("s3:GetObjectVersion" if "VersionId" in given else "s3:GetObject", key), Need("s3:ListBucket", lake)]
        case "s3", "PutObject":
            return [Need("s3:PutObject", key)]
        case "s3", "CopyObject":
            return [Need("s3:GetObjectVersion", _original(given["CopySource"], bucket)), Need("s3:PutObject", key)]
        case "glue", operation:
            return [Need(f"glue:{operation}", f"{GLUE}:{name}") for name in _in_glue(given)]
        case "s3", "DeleteObject":
            return [Need("s3:DeleteObjectVersion" if "VersionId" in given else "s3:DeleteObject", key)]
        case "s3", "ListObjectsV2":
            return [Need("s3:ListBucket", lake, (("s3:prefix", given.get("Prefix", "")),))]
        case "s3", "ListObjectVersions":
            return [Need("s3:ListBucketVersions", lake, (("s3:prefix", given.get("Prefix", "")),))]
        case "s3", "GetBucketVersioning":
            return [Need("s3:GetBucketVersioning", lake)]
        case "logs", "CreateLogStream" | "PutLogEvents":
            return [Need(f"logs:{call['operation']}", stream)]
        case other:
            raise LookupError(f"the program calls {other}: say here which right that needs")


def _original(named: Any, bucket: str) -> str:
    """What a copy is made of; botocore may have written it as one text already."""
    key = named["Key"] if isinstance(named, dict) else unquote(named.partition("?")[0]).partition("/")[2]
    return f"arn:aws:s3:::{bucket}/{key}"


def _in_glue(given: dict[str, Any]) -> list[str]:
    """What a call to Glue touches: a table, its database, and the catalog that both are in."""
    if "DatabaseName" not in given:
        return ["catalog", f"database/{given['Name']}"]
    table = given.get("Name") or given["TableInput"]["Name"]
    return ["catalog", f"database/{given['DatabaseName']}", f"table/{given['DatabaseName']}/{table}"]


def allowing(policy: dict[str, Any], need: Need) -> Right | None:
    """The right that allows it; None: denied. Knows what our policies use, and nothing more."""
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        resource = next((r for r in _listed(statement["Resource"]) if fnmatchcase(need.resource, r)), None)
        if resource and need.action in _listed(statement["Action"]) and _holds(statement, dict(need.context)):
            return Right(statement["Sid"], need.action, resource)
    return None


def _holds(statement: dict[str, Any], context: dict[str, str]) -> bool:
    for operator, keys in statement.get("Condition", {}).items():
        assert operator == "StringLikeIfExists"
        for key, values in keys.items():
            if key in context and not any(fnmatchcase(context[key], v) for v in _listed(values)):
                return False
    return True


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What the program called, from its first run to its last, by the role that it has then."""
    if not PROGRAM_S_PYTHON.exists():
        missing("the program's own environment (make setup)")
    file: Path = tmp_path_factory.mktemp("calls") / "calls.jsonl"
    command = [str(PROGRAM_S_PYTHON), "-m", "tests.infra.record.calls", str(file)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    files = {"task": file, "spark": file.with_suffix(".jsonl.spark")}
    return {role: [json.loads(line) for line in path.read_text().splitlines()] for role, path in files.items()}


@pytest.fixture(scope="module", params=["task", "spark"])
def role(request: pytest.FixtureRequest) -> str:
    """The task's role, and that of a job on Spark."""
    return str(request.param)


@pytest.fixture(scope="module")
def all_needs(role: str, recorded: dict[str, list[dict[str, Any]]], applied: Applied) -> set[Need]:
    """The rights that all that role's calls need."""
    calls, bucket = recorded[role], applied.outputs["bucket"]
    assert len({c["parameters"]["Bucket"] for c in calls if c["service"] == "s3"}) == 1
    ours = {need for call in calls for need in needs(call, bucket, "/spacex-pipeline/prod/run")}
    return ours | set(of_emr(bucket, applied.outputs["spark"])) if role == "spark" else ours


def of_emr(bucket: str, spark: dict[str, Any]) -> Iterator[Need]:
    """What is needed before and around the program: the package, the password (integrations/spark/replay.py), the job's log."""
    yield Need("s3:GetObject", f"arn:aws:s3:::{bucket}/{spark['packages']}0a1b2c3d4e5f-arm64/environment.tar.gz")
    yield Need("s3:ListBucket", f"arn:aws:s3:::{bucket}", (("s3:prefix", f"{spark['packages']}0a1b2c3d4e5f-arm64/replay.py"),))
    yield Need("secretsmanager:GetSecretValue", spark["secret"])
    for action in ("CreateLogGroup", "CreateLogStream", "DescribeLogStreams", "PutLogEvents"):
        yield Need(f"logs:{action}", f"{LOGS}:{spark['log_group']}:log-stream:replay/applications/0/jobs/0/SPARK_DRIVER/stdout")
    yield Need("logs:DescribeLogGroups", f"{LOGS}::log-stream:")


@pytest.fixture(scope="module")
def policy(role: str, applied: Applied) -> dict[str, Any]:
    """What the role's policies give together: of the task's one is for the program, one for Iceberg."""
    iam, name = applied.account.client("iam"), f"{applied.name}-us-east-1-{role}"
    names = iam.list_role_policies(RoleName=name)["PolicyNames"]
    assert sorted(names) == {"task": ["iceberg", "task"], "spark": ["spark"]}[role]
    documents = [iam.get_role_policy(RoleName=name, PolicyName=one)["PolicyDocument"] for one in names]
    return {"Statement": [statement for document in documents for statement in document["Statement"]]}


def test_every_call_that_the_code_knows_was_made(recorded: dict[str, list[dict[str, Any]]]) -> None:
    """A call that no recorded run makes would go unseen below."""
    known = {"GetBucketVersioning", *re.findall(r'"(\w+)": self\._s3\.', (REPOSITORY / "app/lake/bucket.py").read_text())}
    assert {c["operation"] for c in recorded["task"] if c["service"] == "s3"} == known


def test_every_call_is_allowed(all_needs: set[Need], policy: dict[str, Any]) -> None:
    assert {need for need in all_needs if not allowing(policy, need)} == set()


def test_nothing_in_the_policy_is_unused(all_needs: set[Need], policy: dict[str, Any]) -> None:
    given = {
        Right(s["Sid"], action, resource)
        for s in policy["Statement"]
        for action in _listed(s["Action"])
        for resource in _listed(s["Resource"])
    }
    assert given == {allowing(policy, need) for need in all_needs}


DENIED = [
    Need("s3:DeleteObject", "arn:aws:s3:::{bucket}/raw/source=spacex/x.json.gz"),
    Need("s3:DeleteObject", "arn:aws:s3:::{bucket}/manifests/latest.json"),
    Need("s3:DeleteObjectVersion", "arn:aws:s3:::{bucket}/launches/year=2020/launches.parquet"),
    Need("s3:GetObject", "arn:aws:s3:::{bucket}/quarantine/run=1/launches.jsonl.gz"),
    Need("s3:PutObject", "arn:aws:s3:::{bucket}/elsewhere.txt"),
    Need("s3:PutObject", "arn:aws:s3:::another-bucket/launches/year=2020/launches.parquet"),
    Need("s3:ListBucket", "arn:aws:s3:::{bucket}", (("s3:prefix", "quarantine/"),)),
    Need("s3:ListBucket", "arn:aws:s3:::{bucket}", (("s3:prefix", ""),)),
    Need("s3:ListBucketVersions", "arn:aws:s3:::{bucket}", (("s3:prefix", "quarantine/"),)),
    Need("s3:DeleteObjectVersion", "arn:aws:s3:::{bucket}/iceberg/launches/metadata/x.avro"),
    Need("glue:DeleteDatabase", f"{GLUE}:database/spacex"),
    Need("glue:UpdateTable", f"{GLUE}:table/spacex/another"),
    Need("logs:CreateLogGroup", f"{LOGS}:/spacex-pipeline/prod/run:log-stream:x"),
    Need("logs:PutLogEvents", f"{LOGS}:/spacex-pipeline/prod/console:log-stream:x"),
    Need("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:123456789012:secret:mysql"),
]
# A job reads what runs received and published, and changes nothing of it.
DENIED_TO_A_JOB = [
    *(
        Need(f"s3:{action}", f"arn:aws:s3:::{{bucket}}/{key}")
        for action in ("PutObject", "DeleteObject")
        for key in ("raw/x.json.gz", "manifests/latest.json", "launches/year=2020/launches.parquet", "spark/x/replay.py")
    ),
    Need("s3:GetObject", "arn:aws:s3:::{bucket}/launches/year=2020/launches.parquet"),
    Need("s3:ListBucket", "arn:aws:s3:::{bucket}", (("s3:prefix", "launches/"),)),
    Need("s3:ListBucketVersions", "arn:aws:s3:::{bucket}", (("s3:prefix", "manifests/"),)),
    Need("logs:PutLogEvents", f"{LOGS}:/spacex-pipeline/prod/run:log-stream:x"),
]


@pytest.mark.parametrize("need", DENIED, ids=lambda n: f"{n.action}-{n.resource.rpartition(':')[2]}")
def test_what_the_program_never_does_is_denied(need: Need, policy: dict[str, Any], applied: Applied) -> None:
    assert_denied(need, policy, applied)


@pytest.mark.parametrize("role", ["spark"], indirect=True)
@pytest.mark.parametrize("need", DENIED_TO_A_JOB, ids=lambda n: f"{n.action}-{n.resource.rpartition(':')[2]}")
def test_a_job_changes_nothing_but_replays(need: Need, policy: dict[str, Any], applied: Applied) -> None:
    assert_denied(need, policy, applied)


def assert_denied(need: Need, policy: dict[str, Any], applied: Applied) -> None:
    """Nothing in the policy allows it."""
    assert allowing(policy, need._replace(resource=need.resource.replace("{bucket}", applied.outputs["bucket"]))) is None
