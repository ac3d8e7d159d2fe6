"""sluice.named_tuple compared with typing.NamedTuple, which it replaces."""

from __future__ import annotations

import pickle
import subprocess
import sys
import typing
from pathlib import Path

import pytest

from sluice.named_tuple import NamedTuple

LAYER = Path(__file__).parents[2] / "layers/shared/python"


class Point(NamedTuple):
    """Where something is."""

    x: int
    y: int = 2

    @property
    def sum(self) -> int:
        return self.x + self.y

    @classmethod
    def origin(cls) -> Point:
        return cls(0, 0)


class Reference(typing.NamedTuple):
    """Where something is."""

    x: int
    y: int = 2


class Nothing(NamedTuple):
    """No fields at all."""


def test_class_and_values_are_like_those_of_typing() -> None:
    for name in ("_fields", "_field_defaults", "__doc__", "__module__", "__match_args__"):
        assert getattr(Point, name) == getattr(Reference, name)
    assert repr(Point(1)) == repr(Reference(1)).replace("Reference", "Point")
    assert tuple(Point(1)) == Point(x=1, y=2) == tuple(Reference(1))
    assert hash(Point(1)) == hash(Reference(1))
    assert Nothing() == ()
    assert pickle.loads(pickle.dumps(Point(1, 3))) == Point(1, 3)  # noqa: S301 -- our own


def test_class_keeps_its_methods() -> None:
    assert Point(3, 4).sum == 7
    assert Point.origin() == Point(0, 0)
    assert Point(1)._replace(y=5) == Point(1, 5)
    assert Point(1)._asdict() == {"x": 1, "y": 2}


def test_values_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Point(1).x = 2  # type: ignore[misc] # what is tried
    assert not hasattr(Point(1), "__dict__")


def test_missing_or_unknown_field_is_an_error() -> None:
    with pytest.raises(TypeError):
        Point()  # type: ignore[call-arg] # what is tried
    with pytest.raises(TypeError):
        Point(1, z=2)  # type: ignore[call-arg] # what is tried
    with pytest.raises(TypeError):
        Point(1, 2, 3)  # type: ignore[call-arg] # what is tried
    with pytest.raises(TypeError):
        Point(1)._replace(z=3)  # type: ignore[call-arg] # what is tried


def test_typing_is_not_imported() -> None:
    program = "import sys, sluice.named_tuple; sys.exit('typing' in sys.modules)"
    command = [sys.executable, "-S", "-c", program]
    assert subprocess.run(command, env={"PYTHONPATH": str(LAYER)}, check=False).returncode == 0
