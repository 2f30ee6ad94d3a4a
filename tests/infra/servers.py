"""What answers on loopback, and how to ask it."""

import socket
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3


@dataclass(frozen=True)
class Account:
    """An AWS account that is none: one URL, another where EMR Serverless is, and keys that open nothing."""

    url: str
    region: str
    emr_serverless: str = ""

    def environment(self) -> dict[str, str]:
        """Everything that Terraform needs to talk to it, and to nothing else."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ENDPOINT_URL_EMR_SERVERLESS": self.emr_serverless or self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "3",  # what the emulator can't do it never will
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "NO_PROXY": "127.0.0.1,localhost",
        }

    def client(self, service: str) -> Any:
        """A boto3 client of a service."""
        session = boto3.session.Session("test", "test", region_name=self.region)
        return session.client(service, endpoint_url=(service == "emr-serverless" and self.emr_serverless) or self.url)


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, timeout_s: float, log: Path) -> None:
    """Return once the URL answers; else TimeoutError with the end of the log."""
    deadline = time.monotonic() + timeout_s
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        try:
            with opener.open(url, timeout=5):
                return
        except OSError:
            if time.monotonic() > deadline:
                end = log.read_text(errors="replace")[-2000:] if log.exists() else ""
                raise TimeoutError(f"{url} did not answer within {timeout_s:.0f} s\n{end}") from None
            time.sleep(0.25)
