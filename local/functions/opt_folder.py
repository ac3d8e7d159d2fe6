"""Lambda's /opt on this machine: a function's layers, merged by symbolic links."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from local.errors import ConfigurationError

OPT = "/opt"
"""Lambda's folder for layers; in a function's settings it means the folder made here."""


def lay_layers(layers: Sequence[Path], opt: Path) -> None:
    """Fill the folder `opt` with links into `layers`; a later layer overrides an earlier one.

    The top-level folders of layers (`python`, `lib`, …) are merged, so that each package in them is
    one link. A package that two layers share is merged file by file.
    """
    opt.mkdir(parents=True, exist_ok=True)
    for layer in layers:
        if not layer.is_dir():
            raise ConfigurationError(f"Layer folder {layer.name} is missing: {layer} must exist.")
        _lay(layer.resolve(), opt, top=True)


def in_opt(path: str, opt: Path) -> Path:
    """Return the local path of `path` if it is below /opt, else `path`."""
    if path == OPT or path.startswith(f"{OPT}/"):
        return opt / path[len(OPT) + 1 :]
    return Path(path)


def _lay(source: Path, target: Path, *, top: bool) -> None:
    for entry in sorted(source.iterdir()):
        place = target / entry.name
        if entry.name == "__pycache__":
            continue
        if entry.is_dir() and (top or place.is_dir()):
            _open(place)
            _lay(entry, place, top=False)
        else:
            if place.is_symlink():
                place.unlink()
            place.symlink_to(entry)


def _open(place: Path) -> None:
    """Make `place` a folder, with links to the content of the folder it linked to."""
    if place.is_symlink():
        earlier = place.resolve()
        place.unlink()
        place.mkdir()
        if earlier.is_dir():
            _lay(earlier, place, top=False)
    else:
        place.mkdir(exist_ok=True)
