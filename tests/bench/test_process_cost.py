from __future__ import annotations

import subprocess
import sys

from bench.measurement.process_cost import ProcessTree, cpu_s, descendants, peak_rss_mb

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
print(child.pid, flush=True)
input()
"""


def test_children_of_a_process_belong_to_its_tree() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        tree = ProcessTree(parent.pid)
        assert descendants(parent.pid) == [child]
        assert tree.peak_rss_mb() > peak_rss_mb(child) > 1
        assert tree.cpu_s() > cpu_s(child) > 0
        parent.communicate(b"\n")
    assert tree.cpu_s() == 0
