"""curl, an independent judge of what the Function URL sends."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass

from tests.running_stack import PATIENCE_S

SIGNED = ("--aws-sigv4", "aws:amz:us-east-1:lambda", "--user", "local:local")


@dataclass(frozen=True)
class CurlReply:
    status: int
    headers: dict[str, str]
    body: bytes
    exit_code: int

    @property
    def error_code(self) -> str:
        code: str = json.loads(self.body)["error"]["code"]
        return code


def curl(*arguments: str) -> CurlReply:
    """Run curl to its end."""
    done = subprocess.run(
        ["curl", "-sS", "-N", "-i", *arguments],
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    status_line, *lines = head.decode().split("\r\n")
    pairs = [line.split(": ", 1) for line in lines]
    headers = {name.lower(): value for name, value in pairs}
    status = int(status_line.split(" ")[1]) if status_line else 0
    return CurlReply(status, headers, body, done.returncode)
