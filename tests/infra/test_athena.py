"""Glue's tables and Athena's workgroup, really applied in an account of their own, and as that account's API tells them.

The account runs no SQL: what the saved queries answer is tested in tests/integration/test_querying.py.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from environment import INFRA, Terraform, moto_server
from servers import Account

CATALOG = json.loads((INFRA / "terraform/tables.json").read_text())
OPTIONS = ["-var-file=env/prod.tfvars", "-var=enable_athena=true", "-var=s3_prefix=lake/", "-var=athena_scan_limit_mb=64"]
ALONE = [
    f"-target={resource}"
    for resource in (
        "aws_glue_catalog_table.files", "aws_athena_named_query.main", "data.aws_iam_policy_document.athena_reader",
        "aws_s3_bucket_policy.athena", "aws_s3_bucket_lifecycle_configuration.athena",
        "aws_s3_bucket_public_access_block.athena", "aws_s3_bucket_server_side_encryption_configuration.athena",
    )
]  # fmt: skip
BUCKET = "spacex-pipeline-prod-123456789012-us-east-1"


@dataclass(frozen=True)
class Asked:
    """The account, and what a plan of the same says afterwards."""

    account: Account
    again: dict[str, Any]
    policy: dict[str, Any]


@pytest.fixture(scope="module")
def asked(terraform: Terraform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    folder = tmp_path_factory.mktemp("athena")
    with moto_server(folder) as account:
        copy = Path(shutil.copytree(terraform.folder, folder / "terraform", symlinks=True))
        for left in copy.glob("*.tfstate*"):
            left.unlink()
        own = Terraform(copy, terraform.environment | account.environment())
        own("apply", "-auto-approve", "-input=false", *OPTIONS, *ALONE)
        again = own.plan("again.plan", *OPTIONS, *ALONE, codes=(0, 2))
        outputs = json.loads(own("output", "-json").stdout)
        yield Asked(account, again, json.loads(outputs["athena_reader_policy"]["value"]))


def test_glue_has_every_table_column_by_column(asked: Asked) -> None:
    glue = asked.account.client("glue")
    tables = {table["Name"]: table for table in glue.get_tables(DatabaseName="spacex_files")["TableList"]}
    assert tables.keys() == CATALOG["tables"].keys()
    for name, wanted in CATALOG["tables"].items():
        stored = tables[name]["StorageDescriptor"]
        found = [{"name": c["Name"], "type": c["Type"], "comment": c["Comment"]} for c in stored["Columns"]]
        assert found == wanted["columns"]
        assert stored["Location"] == f"s3://{BUCKET}/lake/{name}/"
        assert [(c["Name"], c["Type"]) for c in tables[name]["PartitionKeys"]] == [("year", "int")]
        parameters = tables[name]["Parameters"]
        assert parameters["storage.location.template"] == f"s3://{BUCKET}/lake/{name}/year=${{year}}/"
        assert parameters["projection.enabled"] == "true"
        assert parameters["projection.year.range"] == "1950,2100"


def test_the_workgroup_limits_and_encrypts(asked: Asked) -> None:
    athena = asked.account.client("athena")
    found = athena.get_work_group(WorkGroup="spacex-pipeline-prod")["WorkGroup"]["Configuration"]
    assert found["EnforceWorkGroupConfiguration"]
    assert found["BytesScannedCutoffPerQuery"] == 64 << 20
    assert found["ResultConfiguration"]["EncryptionConfiguration"] == {"EncryptionOption": "SSE_S3"}
    assert found["ResultConfiguration"]["OutputLocation"].startswith("s3://spacex-pipeline-prod-athena-")
    ids = athena.list_named_queries(WorkGroup="spacex-pipeline-prod")["NamedQueryIds"]
    queries = [athena.get_named_query(NamedQueryId=one)["NamedQuery"] for one in ids]
    assert {q["Name"]: q["QueryString"] for q in queries} == {name: q["sql"] for name, q in CATALOG["queries"].items()}
    assert {q["Database"] for q in queries} == {"spacex_files"}


def test_results_expire_and_nobody_else_sees_them(asked: Asked) -> None:
    s3, bucket = asked.account.client("s3"), "spacex-pipeline-prod-athena-123456789012-us-east-1"
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert rule["Expiration"]["Days"] == 30
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    assert "aws:SecureTransport" in s3.get_bucket_policy(Bucket=bucket)["Policy"]


def test_a_reader_may_read_tables_and_write_results_alone(asked: Asked) -> None:
    writes: dict[str, set[str]] = {}
    for statement in asked.policy["Statement"]:
        actions, resources = (
            [found] if isinstance(found, str) else found for found in (statement["Action"], statement["Resource"])
        )
        assert "*" not in resources
        for action in actions:
            assert "*" not in action
            if not action.split(":")[1].startswith(("Get", "List", "BatchGet")):
                writes.setdefault(action, set()).update(resources)
    workgroup = {"arn:aws:athena:us-east-1:123456789012:workgroup/spacex-pipeline-prod"}
    results = {"arn:aws:s3:::spacex-pipeline-prod-athena-123456789012-us-east-1/*"}
    assert writes == {
        "athena:StartQueryExecution": workgroup,
        "athena:StopQueryExecution": workgroup,
        "s3:PutObject": results,
        "s3:AbortMultipartUpload": results,
    }


def test_a_second_plan_changes_nothing(asked: Asked) -> None:
    changed = [r["address"] for r in asked.again["resource_changes"] if r["change"]["actions"] not in (["no-op"], ["read"])]
    assert changed == []
