"""An account to deploy into: a moto server in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import boto3

PROGRAM = Path(__file__).with_name("moto_program.py")
REGION = "us-east-1"
END_TIMEOUT_S = 20  # the server ends at once; a busy machine may be slow to say so
FAKE_KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}


@dataclass(frozen=True, slots=True)
class CloudAccount:
    """The account's endpoint: an IP address, because SDKs put BUCKET. before a name."""

    endpoint: str

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead AWS's tools to this account."""
        return {
            **FAKE_KEYS,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.endpoint,
            aws_access_key_id=FAKE_KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=FAKE_KEYS["AWS_SECRET_ACCESS_KEY"],
        )


@contextmanager
def cloud_account() -> Iterator[CloudAccount]:
    with (
        TemporaryFile("w+") as log,
        subprocess.Popen(
            [sys.executable, str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            endpoint = process.stdout.readline().strip()
            if not endpoint:
                process.wait(END_TIMEOUT_S)
                log.seek(0)
                raise AssertionError(log.read())
            yield CloudAccount(endpoint)
        finally:
            process.stdin.close()
            process.wait(END_TIMEOUT_S)
