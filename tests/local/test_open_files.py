"""What a limit of open files leaves room for."""

from __future__ import annotations

from local.open_files import OpenFiles


def test_processes_and_websockets_leave_descriptors_for_each_other() -> None:
    assert OpenFiles(1 << 20).note(functions=5, concurrency=16) == ""
    for limit, processes, websockets in ((256, 3, 64), (1024, 12, 256), (10, 1, 2)):
        files = OpenFiles(limit)
        assert (files.processes(5), files.websockets()) == (processes, websockets)
        note = files.note(functions=5, concurrency=16)
        assert f"may open {limit} files" in note
        assert "ulimit -n" in note
