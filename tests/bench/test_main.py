from __future__ import annotations

import pytest

from bench.__main__ import benches, main


def test_each_module_of_the_folder_is_a_bench() -> None:
    assert benches() == ["cold_start", "delivery", "gateway", "memory", "relay"]


def test_unknown_name_lists_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["relais"])
    assert ended.value.code == 2
    assert (
        "unknown: relais. Benches: cold_start, delivery, gateway, memory, relay."
        in capsys.readouterr().err
    )
