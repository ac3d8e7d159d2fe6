from __future__ import annotations

import os
import subprocess
import sys
import time

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
        assert tree.size() == 2
        assert tree.peak_rss_mb() > peak_rss_mb(child) > 1
        assert tree.cpu_s() > cpu_s(child) > 0
        parent.communicate(b"\n")


def test_own_cpu_time_is_that_of_the_clock_for_it() -> None:
    before = time.process_time()
    measured = cpu_s(os.getpid())
    assert before <= measured <= time.process_time()


def test_process_that_has_ended_costs_nothing_more() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert ProcessTree(process.pid).cpu_s() == 0
    assert ProcessTree(process.pid).peak_rss_mb() == 0
