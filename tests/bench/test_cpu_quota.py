from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bench.measurement.cpu_quota import CGROUPS, cpu_quota, has_cpu_quota, quota_files

BUSY = "import time\nwhile time.process_time() < 0.05: pass"
"""It uses 50 ms of a processor: several periods of a small share."""


def test_quota_is_a_share_of_each_period_in_both_versions_of_cgroups() -> None:
    assert quota_files(1 / 7, is_v2=True) == {"cpu.max": "2857 20000"}
    files = {"cpu.cfs_period_us": "20000", "cpu.cfs_quota_us": "5000"}
    assert quota_files(1 / 4, is_v2=False) == files


@pytest.mark.skipif(
    not has_cpu_quota(), reason="requires root, and cgroups with the cpu controller"
)
def test_process_with_a_quota_waits_for_its_next_period() -> None:
    with cpu_quota(1 / 7) as enter:
        subprocess.run([sys.executable, "-c", BUSY], preexec_fn=enter, check=True)
        (group,) = CGROUPS.rglob(f"sluice-bench-{os.getpid()}")
        stat = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
        assert int(stat["nr_throttled"]) > 1
    assert not group.exists()
