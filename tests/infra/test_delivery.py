"""The way from a commit to a running task: workflows, the roles that they take, and the scripts that they call."""

import json
import os
import re
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml
from environment import INFRA, REPOSITORY, Background, Terraform
from servers import Account
from test_made import findings

WORKFLOWS = [REPOSITORY / ".github/workflows" / name for name in ("deliver.yml", "apply.yml", "drift.yml")]


def lint(*paths: Path) -> subprocess.CompletedProcess[str]:
    """What jactionlint, actionlint's fork, says of workflows."""
    program = Path(sys.executable).with_name("jactionlint")
    command = [str(program), "--shellcheck=", "--no-color", *map(str, paths)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def test_the_workflows_are_sound() -> None:
    done = lint(*sorted(REPOSITORY.glob(".github/workflows/*.yml")))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("needs: image", "needs: picture"),
        ("${{ inputs.environment }}", "${{ inputs.enviroment }}"),
        ("runs-on: ubuntu-latest", "run-on: ubuntu-latest"),
    ],
)
def test_a_mistake_in_a_workflow_would_be_found(before: str, after: str, tmp_path: Path) -> None:
    (tmp_path / ".github/workflows").mkdir(parents=True)
    paths = [tmp_path / ".github/workflows" / path.name for path in WORKFLOWS]
    for path, copy in zip(WORKFLOWS, paths, strict=True):
        copy.write_text(path.read_text().replace(before, after))
    done = subprocess.run(
        [str(Path(sys.executable).with_name("jactionlint")), "--shellcheck=", *map(str, paths)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)
def test_no_key_is_kept_and_nothing_floats(path: Path) -> None:
    text = path.read_text()
    workflow = yaml.safe_load(text)
    assert "secrets." not in text
    assert not re.search(r"aws-(access-key|secret)", text, re.IGNORECASE)
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["permissions"] == {"contents": "read", "id-token": "write"}
    for used in re.findall(r"uses: (\S+)(.*)", text):
        assert used[0].startswith("./") or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", used[0]), used
        assert used[0].startswith("./") or re.fullmatch(r" # v\d+\.\d+\.\d+", used[1]), used


def test_what_the_jobs_do() -> None:
    deliver, apply, drift = (yaml.safe_load(path.read_text())["jobs"] for path in WORKFLOWS)
    assert [deliver["dev"]["needs"], deliver["prod"]["needs"]] == ["image", ["image", "dev"]]
    # the same bytes in both
    assert {deliver[e]["with"]["image"] for e in ("dev", "prod")} == {"${{ needs.image.outputs.image }}"}
    pushed, scanned = (step["run"] for step in deliver["image"]["steps"][-2:])
    assert pushed.startswith("infra/image-push")
    assert scanned == 'infra/image-scan "$IMAGE"'
    assert apply["apply"]["environment"] == "${{ inputs.environment }}"  # whose protection rule asks for the approval
    assert "environment" not in apply["plan"]
    assert "-out=delivery.plan" in apply["plan"]["steps"][-2]["run"]
    assert apply["apply"]["steps"][-1]["run"].endswith("apply delivery.plan\n")
    assert "-detailed-exitcode" in drift["drift"]["steps"][-1]["run"]
    planned = deliver["proposed"]["steps"][-1]["run"]
    assert "-refresh=false" in planned  # the role of pull requests may not look at anything
    assert "AWS_PLAN_ROLE" in json.dumps(deliver["proposed"])
    assert "_ROLE }}" in json.dumps(deliver["proposed"])
    assert not re.search("AWS_(READ|DEPLOY|IMAGE)_ROLE", json.dumps(deliver["proposed"]))


def test_each_role_is_for_its_place_alone(bootstrapping: tuple[Account, Terraform, Background]) -> None:
    account, boot, background = bootstrapping
    background.output()
    iam = account.client("iam")
    subjects: dict[str, Any] = {}
    for role in iam.list_roles()["Roles"]:
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
        assert statement["Principal"]["Federated"].endswith(":oidc-provider/token.actions.githubusercontent.com")
        (conditions,) = statement["Condition"].values()  # StringEquals: no pattern
        assert conditions.pop("token.actions.githubusercontent.com:aud") == "sts.amazonaws.com"
        (subject,) = conditions.values()
        subjects[role["RoleName"].removeprefix("spacex-pipeline-us-east-1-github-")] = subject
    main = "repo:team/pipeline:ref:refs/heads/main"
    assert subjects == {
        "plan": "repo:team/pipeline:pull_request",
        "read": main,
        "image": main,
        "deploy": ["repo:team/pipeline:environment:dev", "repo:team/pipeline:environment:prod"],
    }
    given = json.loads(boot("output", "-json", "github_variables").stdout)
    used = set(re.findall(r"vars\.(\w+)", "".join(path.read_text() for path in WORKFLOWS)))
    assert used == given.keys()


def test_each_role_may_do_its_work_alone(bootstrapping: tuple[Account, Terraform, Background]) -> None:
    account, _, background = bootstrapping
    background.output()
    iam = account.client("iam")
    attached, inline = {}, {}
    for role in iam.list_roles()["Roles"]:
        name, key = role["RoleName"], role["RoleName"].rpartition("-")[2]
        attached[key] = [p["PolicyName"] for p in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]]
        (policy,) = iam.list_role_policies(RoleName=name)["PolicyNames"]
        inline[key] = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]["Statement"]
        assert findings({"Version": "2012-10-17", "Statement": inline[key]}) == ""
    assert attached == {"plan": [], "read": ["ReadOnlyAccess"], "image": [], "deploy": ["PowerUserAccess"]}
    rights = {key: {a for s in statements for a in _listed(s["Action"])} for key, statements in inline.items()}
    assert rights["plan"] == {"s3:ListBucket", "s3:GetObject", "ec2:DescribeAvailabilityZones"}
    assert not {a for a in rights["image"] if not a.startswith("ecr:")}
    # Of roles, those of environments alone; not its own, which would lift every bound.
    patterns = {r for s in inline["deploy"] for r in _listed(s["Resource"])}
    ours = [
        f"arn:aws:iam::123456789012:role/spacex-pipeline-{e}-us-east-1-{r}"
        for e in ("dev", "prod")
        for r in ("task", "scheduler")
    ]
    assert all(any(fnmatchcase(arn, p) for p in patterns) for arn in ours)
    assert not any(fnmatchcase("arn:aws:iam::123456789012:role/spacex-pipeline-us-east-1-github-deploy", p) for p in patterns)


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def test_the_shared_registry_forgets_nothing(bootstrapping: tuple[Account, Terraform, Background]) -> None:
    account, _, background = bootstrapping
    background.output()
    ecr = account.client("ecr")
    (repository,) = ecr.describe_repositories()["repositories"]
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert repository["imageScanningConfiguration"]["scanOnPush"] is True
    with pytest.raises(ecr.exceptions.LifecyclePolicyNotFoundException):
        ecr.get_lifecycle_policy(repositoryName="spacex-pipeline")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["dev"], "usage: infra/tf"),
        (["elsewhere", "plan"], "there is no env/elsewhere.tfvars"),
        (["dev", "init"], "there is no backend.tf"),
    ],
)
def test_infra_tf_says_what_is_missing(arguments: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "terraform/env").mkdir(parents=True)
    (tmp_path / "terraform/env/dev.tfvars").write_text("")
    (tmp_path / "tf").write_bytes((INFRA / "tf").read_bytes())
    done = subprocess.run(["sh", str(tmp_path / "tf"), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in done.stderr


# --- scripts, with the programs that they call played ------------------------------------------------------------------------

REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com/spacex-pipeline"
DIGEST = "sha256:" + "a" * 64


def play(folder: Path, **programs: str) -> dict[str, str]:
    """An environment in which these programs are what they are given as."""
    for name, code in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{code}\n")
        (folder / name).chmod(0o755)
    return os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "REPOSITORY": REGISTRY}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clone of this repository as it is committed."""
    subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(tmp_path / "clone")], check=True)
    return tmp_path / "clone"


def image_push(checkout: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The script as it is here, in that clone."""
    script = checkout / "infra/image-push"
    script.write_bytes((INFRA / "image-push").read_bytes())
    return subprocess.run([str(script)], env=environment, capture_output=True, text=True, check=False)


ABSENT = "An error occurred (ImageNotFoundException) when calling the DescribeImages operation"


@pytest.mark.parametrize("region", ["us-east-1", "cn-north-1", "us-gov-west-1"])
def test_image_push_builds_for_both_processors_and_prints_what_to_run(region: str, checkout: Path, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    docker = f'echo "$*" >>{calls}; case $2 in build) touch {tmp_path}/pushed;; esac'
    aws = f'case $* in *describe-images*) [ -f {tmp_path}/pushed ] || {{ echo "{ABSENT}" >&2; exit 254; }}; echo {DIGEST};; esac'
    repository = REGISTRY.replace("us-east-1", region)
    done = image_push(checkout, play(tmp_path, docker=docker, aws=aws) | {"REPOSITORY": repository})
    assert (done.returncode, done.stdout) == (0, f'image = "{repository}@{DIGEST}"\n'), done.stderr
    tag = subprocess.run(
        ["git", "log", "-1", "--format=%H", "--", "app", "Dockerfile", "requirements.txt", ".dockerignore"],
        cwd=checkout, capture_output=True, text=True, check=True,
    ).stdout[:12]  # fmt: skip
    login, *_, build = (line.split() for line in calls.read_text().splitlines())
    assert login[-1] == repository.split("/")[0]
    assert build[build.index("--platform") + 1] == "linux/amd64,linux/arm64"
    assert build[build.index("--tag") + 1] == f"{repository}:{tag}"
    assert {"RELEASE=1", f"REVISION={tag}"} <= set(build)
    assert [word for word in build if "RDS_CA_BUNDLE" in word] == {
        "us-east-1": ["RDS_CA_BUNDLE=https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"],
        "cn-north-1": ["RDS_CA_BUNDLE=https://rds-truststore.s3.cn-north-1.amazonaws.com.cn/global/global-bundle.pem"],
        "us-gov-west-1": ["RDS_CA_BUNDLE=https://truststore.pki.us-gov-west-1.rds.amazonaws.com/global/global-bundle.pem"],
    }[region]


def test_image_push_leaves_what_is_there(checkout: Path, tmp_path: Path) -> None:
    environment = play(tmp_path, docker="echo 'nothing is to be built' >&2; exit 1", aws=f"echo {DIGEST}")
    (checkout / "docs/deploy.md").write_text("changed")  # nothing that is in the image
    (checkout / "infra/terraform/env/dev.tfvars").write_text("changed")
    done = image_push(checkout, environment)
    assert (done.returncode, done.stdout) == (0, f'image = "{REGISTRY}@{DIGEST}"\n')


def test_image_push_wants_what_the_image_is_made_of_committed(checkout: Path, tmp_path: Path) -> None:
    (checkout / "app/new.py").write_text("")
    done = image_push(checkout, play(tmp_path, docker="exit 1", aws="exit 1"))
    assert done.returncode == 1
    assert "commit first" in done.stderr


def test_image_push_takes_no_error_for_absence(checkout: Path, tmp_path: Path) -> None:
    denied = "An error occurred (AccessDeniedException) when calling the DescribeImages operation"
    done = image_push(checkout, play(tmp_path, docker="echo built >&2", aws=f'echo "{denied}" >&2; exit 254'))
    assert done.returncode == 1
    assert "AccessDeniedException" in done.stderr
    assert "built" not in done.stderr


def image_scan(tmp_path: Path, **findings_of: list[tuple[str, str]] | None) -> subprocess.CompletedProcess[str]:
    """The script on an index of two parts, each with what was found in it; None: the scan failed."""
    index = {"manifests": [{"digest": f"sha256:{name}"} for name in findings_of]}
    answers = {"batch-get-image": {"images": [{"imageManifest": json.dumps(index)}]}}
    for name, found in findings_of.items():
        status = {"status": "COMPLETE" if found is not None else "UNSUPPORTED_IMAGE"}
        listed = [{"name": cve, "severity": severity} for cve, severity in found or []]
        answers[f"imageDigest=sha256:{name}"] = {"imageScanStatus": status, "imageScanFindings": {"findings": listed}}
    cases = []
    for key, answer in answers.items():
        (tmp_path / key.replace(":", "-")).write_text(json.dumps(answer))
        cases.append(f"*{key}*) cat '{tmp_path}/{key.replace(':', '-')}';;")
    environment = play(tmp_path, aws=f"case $* in {' '.join(cases)} *) exit 1;; esac") | {
        "SCAN_TIMEOUT_S": "5",
        "SCAN_POLL_S": "1",
    }
    command = [sys.executable, str(INFRA / "image-scan"), f"{REGISTRY}@{DIGEST}"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_image_scan_passes_what_has_nothing_grave(tmp_path: Path) -> None:
    done = image_scan(tmp_path, arm=[("CVE-1", "LOW")], amd=[("CVE-2", "MEDIUM")])
    assert (done.returncode, done.stdout) == (0, "")


def test_image_scan_stops_at_a_grave_finding_in_any_part(tmp_path: Path) -> None:
    done = image_scan(tmp_path, arm=[], amd=[("CVE-2026-1", "CRITICAL")])
    assert done.returncode == 1
    assert done.stdout.startswith("CRITICAL CVE-2026-1 in sha256:amd")


def test_image_scan_stops_where_nobody_knows(tmp_path: Path) -> None:
    done = image_scan(tmp_path, arm=[], amd=None)
    assert done.returncode == 1
    assert "UNSUPPORTED_IMAGE" in done.stderr


def test_accepted_vulnerabilities_have_a_reason() -> None:
    for line in (INFRA / "accepted-vulnerabilities").read_text().splitlines():
        assert line.startswith("#") or len(line.split()) >= 4, line
