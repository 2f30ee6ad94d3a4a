"""Terraform on a copy of the code, moto's server for it to act on, and LocalStack for event patterns; loopback only."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
from emr import EmrServerless
from inventory import inventory
from servers import Account, free_port, wait_for

REPOSITORY = Path(__file__).resolve().parents[2]
INFRA = REPOSITORY / "infra"
REGION = "us-east-1"

# Production's settings, made fit to be destroyed again.
VARIABLES = [
    "-var-file=env/prod.tfvars",
    "-var=destroyable=true",
    "-var=db_deletion_protection=false",
    "-var=db_final_snapshot=false",
    "-var=image_tag=0a1b2c3d4e5f",
    "-var=schedule_enabled=true",
    "-var=enable_iceberg=true",
    "-var=enable_spark=true",
    '-var=alert_emails=["ops@example.org"]',
]


def missing(what: str) -> NoReturn:
    """Say that something is not here: a failure in CI, where nothing may be left out."""
    if os.environ.get("CI", "").lower() not in {"", "0", "false"}:
        pytest.fail(f"{what} is missing, and nothing may be left out in CI", pytrace=False)
    pytest.skip(f"NOT TESTED: {what} is missing")


@dataclass(frozen=True)
class Terraform:
    """Terraform in one folder, with one environment."""

    folder: Path
    environment: dict[str, str]

    def __call__(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
        """Run it; any exit code that is not expected fails the test with all that was printed."""
        done = subprocess.run(
            ["terraform", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in codes:
            pytest.fail(f"terraform {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}", pytrace=False)
        return done

    def plan(self, name: str, *variables: str, codes: tuple[int, ...] = (0,)) -> dict[str, Any]:
        """Plan into a file, and what it says."""
        self("plan", "-input=false", "-detailed-exitcode", f"-out={name}", *variables, codes=codes)
        return json.loads(self("show", "-json", name).stdout)  # type: ignore[no-any-return]


def _initialised(source: Path, folder: Path, environment: dict[str, str], *options: str) -> Terraform:
    ignored = shutil.ignore_patterns(".terraform", ".terraform-*", "*.tfstate*", "*.plan", "backend.tf")
    terraform = Terraform(Path(shutil.copytree(source, folder, ignore=ignored)), environment)
    done = terraform("init", "-backend=false", "-input=false", *options, codes=(0, 1))
    if done.returncode:
        missing(f"the AWS provider (where its registry can't be reached, TF_CLI_CONFIG_FILE names a mirror): {done.stderr}")
    return terraform


@contextlib.contextmanager
def moto_server(folder: Path, **settings: str) -> Iterator[Account]:
    """An empty account for as long as it is needed."""
    port = free_port()
    log = folder / "moto.log"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=os.environ | settings)
    try:
        wait_for(f"http://127.0.0.1:{port}/moto-api/", 60, log)
        yield Account(f"http://127.0.0.1:{port}", REGION)
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """The account that the environment is applied to."""
    emr_serverless = EmrServerless()
    with moto_server(tmp_path_factory.mktemp("account")) as server:
        yield replace(server, emr_serverless=emr_serverless.url)
    emr_serverless.close()


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """The root module, initialised, without an account."""
    if not shutil.which("terraform"):
        missing("terraform")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "TF_VAR_"))}
    clean |= {"AWS_EC2_METADATA_DISABLED": "true", "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_CLI_ARGS": "-no-color"}
    return _initialised(INFRA / "terraform", tmp_path_factory.mktemp("code") / "terraform", clean, "-lockfile=readonly")


@pytest.fixture(scope="session")
def bootstrap(terraform: Terraform, tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """The bootstrap of the state's bucket, initialised."""
    return _initialised(
        INFRA / "bootstrap", tmp_path_factory.mktemp("code") / "bootstrap", terraform.environment, "-lockfile=readonly"
    )


@dataclass(frozen=True)
class Applied:
    """An environment that was really applied."""

    account: Account
    terraform: Terraform
    plan: dict[str, Any]
    outputs: dict[str, Any]
    name: str = "spacex-pipeline-prod"


@pytest.fixture(scope="session")
def in_account(terraform: Terraform, account: Account) -> Terraform:
    """The root module with the account's credentials."""
    return Terraform(terraform.folder, terraform.environment | account.environment())


@dataclass(frozen=True)
class Background:
    """Terraform at work while tests that don't need it run."""

    process: "subprocess.Popen[str]"
    log: Path

    def output(self) -> str:
        """What it printed, once it has ended well."""
        if self.process.wait(900):
            pytest.fail(self.log.read_text(), pytrace=False)
        return self.log.read_text()


@contextlib.contextmanager
def _in_background(terraform: Terraform, *arguments: str) -> Iterator[Background]:
    log = terraform.folder / f"{arguments[0]}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            ["terraform", *arguments], cwd=terraform.folder, env=terraform.environment, stdout=output, stderr=output, text=True
        )
    try:
        yield Background(process, log)
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="session")
def testing(terraform: Terraform) -> Iterator[Background]:
    """Terraform's own tests."""
    with _in_background(terraform, "test") as background:
        yield background


@pytest.fixture(scope="session")
def bootstrapping(
    bootstrap: Terraform, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Account, Terraform, Background]]:
    """The bootstrap's apply, in an account of its own."""
    with moto_server(tmp_path_factory.mktemp("account"), MOTO_IAM_LOAD_MANAGED_POLICIES="true") as account:
        terraform = Terraform(bootstrap.folder, bootstrap.environment | account.environment())
        with _in_background(
            terraform, "apply", "-auto-approve", "-input=false", "-var=github_repository=team/pipeline"
        ) as background:
            yield account, terraform, background


@pytest.fixture(scope="session")
def applying(in_account: Terraform, empty: dict[str, list[str]]) -> Iterator[tuple[dict[str, Any], Background]]:
    """The plan, and its apply."""
    plan = in_account.plan("first.plan", *VARIABLES, codes=(2,))
    with _in_background(in_account, "apply", "-input=false", "-parallelism=20", "first.plan") as background:
        yield plan, background


@dataclass(frozen=True)
class Upgraded:
    """What became of the last release's environment under this one's code, step by step."""

    upgrade: dict[str, Any]
    """The plan of the upgrade."""
    again: dict[str, Any]
    """The plan after it."""
    refused: str
    """What another environment's variables were answered."""
    before: dict[str, Any]
    """The database instance before it was lost, …"""
    restored: dict[str, Any]
    """… and what the runbook's restore made."""
    after_restore: dict[str, Any]
    """The plan after that, with `db_restore` left as it was."""


def _upgrade(account: Account, before: Terraform, after: Terraform) -> Upgraded:
    variables = "-var-file=env/dev.tfvars"
    options = ("-auto-approve", "-input=false", "-parallelism=20")
    before("apply", *options, variables)
    shutil.copy(before.folder / "terraform.tfstate", after.folder)
    upgrade = after.plan("upgrade.plan", variables, codes=(2,))
    after("apply", "-input=false", "-parallelism=20", "upgrade.plan")
    again = after.plan("again.plan", variables, codes=(0, 2))
    refused = after("plan", "-input=false", "-no-color", "-var-file=env/prod.tfvars", codes=(1,)).stderr

    # The runbook's restore, step by step. To the emulator all instances have one id, so the lost one must be gone before.
    rds, name = account.client("rds"), "spacex-pipeline-dev"
    (lost,) = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
    rds.create_db_snapshot(DBInstanceIdentifier=name, DBSnapshotIdentifier="kept")
    rds.modify_db_instance(DBInstanceIdentifier=name, NewDBInstanceIdentifier=f"{name}-damaged", ApplyImmediately=True)
    after("state", "rm", "aws_db_instance.main")
    rds.delete_db_instance(DBInstanceIdentifier=f"{name}-damaged", SkipFinalSnapshot=True)
    restore = '-var=db_restore={snapshot="kept"}'
    after("apply", *options, variables, restore)
    (restored,) = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
    return Upgraded(upgrade, again, refused, lost, restored, after.plan("restored.plan", variables, restore, codes=(0, 2)))


@pytest.fixture(scope="session")
def upgrading(terraform: Terraform, tmp_path_factory: pytest.TempPathFactory) -> Iterator["Future[Upgraded]"]:
    """All that in the background."""
    folder = tmp_path_factory.mktemp("upgrade")
    release = (Path(__file__).parent / "last-release").read_text().strip()
    archive = subprocess.run(["git", "archive", release, "infra/terraform"], cwd=REPOSITORY, capture_output=True, check=False)
    if archive.returncode:
        missing(f"the last release's code (a clone with its history; {archive.stderr.decode().strip()})")
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    with moto_server(folder) as account, ThreadPoolExecutor(1) as background:
        environment = terraform.environment | account.environment()
        before = _initialised(folder / "infra/terraform", folder / "before", environment)
        after = _initialised(INFRA / "terraform", folder / "after", environment, "-lockfile=readonly")
        yield background.submit(_upgrade, account, before, after)


@pytest.fixture(scope="session", autouse=True)
def _early(request: pytest.FixtureRequest) -> None:
    """All are minutes of waiting: they begin before the first test."""
    for name in ("applying", "upgrading", "testing", "bootstrapping"):
        if any(name in getattr(item, "fixturenames", ()) for item in request.session.items):
            request.getfixturevalue(name)


@pytest.fixture(scope="session")
def empty(account: Account) -> dict[str, list[str]]:
    """What is in the account before anything is made."""
    return inventory(account)


@pytest.fixture(scope="session")
def applied(
    account: Account, in_account: Terraform, empty: dict[str, list[str]], applying: tuple[dict[str, Any], Background]
) -> Iterator[Applied]:
    """An environment; after the last test it is destroyed, and nothing may be left."""
    plan, background = applying
    background.output()
    outputs = {k: v["value"] for k, v in json.loads(in_account("output", "-json").stdout).items()}
    yield Applied(account, in_account, plan, outputs)

    s3, key = account.client("s3"), "launches/year=2020/launches.parquet"
    s3.delete_bucket_policy(Bucket=outputs["bucket"])  # it demands TLS, and the emulator has none
    for body in (b"old", b"new"):  # versions stand in nobody's way (nor do delete markers, but on those the emulator fails)
        s3.put_object(Bucket=outputs["bucket"], Key=key, Body=body)
    in_account("destroy", "-auto-approve", "-input=false", "-parallelism=20", *VARIABLES)
    assert inventory(account) == empty, "destroy left something behind"
    assert not in_account("state", "list").stdout


@pytest.fixture(scope="session")
def localstack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """LocalStack at LOCALSTACK_URL, or in a container of LOCALSTACK_IMAGE; its events client."""
    if url := os.environ.get("LOCALSTACK_URL"):
        yield Account(url, REGION).client("events")
        return
    if not shutil.which("docker"):
        missing("LocalStack (Docker, or LOCALSTACK_URL)")
    image = os.environ.get("LOCALSTACK_IMAGE", "localstack/localstack:4.14.0")
    port = free_port()
    started = subprocess.run(
        ["docker", "run", "--detach", "--rm", "--publish", f"127.0.0.1:{port}:4566", image],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if started.returncode:
        missing(f"LocalStack (docker run {image}: {started.stderr.strip()})")
    container = started.stdout.strip()
    try:
        wait_for(f"http://127.0.0.1:{port}/_localstack/health", 120, tmp_path_factory.mktemp("localstack") / "none")
        yield Account(f"http://127.0.0.1:{port}", REGION).client("events")
    finally:
        subprocess.run(["docker", "rm", "--force", container], capture_output=True, check=False)
