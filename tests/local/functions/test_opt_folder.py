"""Layers merged in one folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.errors import ConfigurationError
from local.functions.opt_folder import in_opt, lay_layers


def layer(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_packages_of_two_layers_lie_side_by_side(tmp_path: Path) -> None:
    runtime = layer(tmp_path / "r", {"bootstrap": "b", "python/awslambda/__init__.py": "a"})
    shared = layer(tmp_path / "s", {"python/sluice/__init__.py": "s", "python/__pycache__/x": ""})
    lay_layers([runtime, shared], tmp_path / "opt")
    opt = tmp_path / "opt"
    assert (opt / "bootstrap").read_text() == "b"
    assert (opt / "python/awslambda/__init__.py").read_text() == "a"
    assert (opt / "python/sluice/__init__.py").read_text() == "s"
    assert (opt / "python/sluice").is_symlink()
    assert not (opt / "python/__pycache__").exists()


def test_later_layer_overrides_an_earlier_one_but_does_not_change_it(tmp_path: Path) -> None:
    first = layer(tmp_path / "1", {"python/pkg/a.py": "1", "python/pkg/b.py": "1", "tool": "1"})
    second = layer(tmp_path / "2", {"python/pkg/b.py": "2", "tool": "2"})
    lay_layers([first, second], tmp_path / "opt")
    opt = tmp_path / "opt"
    assert (opt / "tool").read_text() == "2"
    assert (opt / "python/pkg/a.py").read_text() == "1"
    assert (opt / "python/pkg/b.py").read_text() == "2"
    assert (first / "python/pkg/b.py").read_text() == "1"


def test_missing_layer_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Layer folder nowhere is missing"):
        lay_layers([tmp_path / "nowhere"], tmp_path / "opt")


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/opt/bootstrap", "X/bootstrap"), ("/opt", "X"), ("/optional", "/optional")],
)
def test_path_below_opt_means_the_laid_folder(path: str, expected: str) -> None:
    assert in_opt(path, Path("X")) == Path(expected)
