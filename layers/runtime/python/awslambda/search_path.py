"""Where Python finds a function's modules: the order of AWS's own Python client.

https://docs.aws.amazon.com/lambda/latest/dg/python-package.html#python-package-searchpath
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def site_folders(environ: Mapping[str, str], layer_python: str, version: str) -> list[str]:
    """The folders before Python's own, in order; their `.pth` files are read.

    layer_python: the folder `python` of the unpacked layers ("/opt/python"). version: "3.13".
    As with AWS's client, a PYTHONPATH set by the function's author replaces the layers' folders.
    """
    task_root = environ.get("LAMBDA_TASK_ROOT", "/var/task")
    if environ.get("PYTHONPATH"):
        return [task_root]
    return [task_root, f"{layer_python}/lib/python{version}/site-packages", layer_python]


def search_path(
    environ: Mapping[str, str], layer_python: str, version: str, current: Sequence[str]
) -> list[str]:
    """`sys.path` for the function; `current` is Python's initial value.

    Lambda's runtime folder, which has boto3, comes last.
    """
    first = site_folders(environ, layer_python, version)
    runtime = [folder] if (folder := environ.get("LAMBDA_RUNTIME_DIR")) else []
    rest = [folder for folder in current if folder not in first and folder not in runtime]
    return [*first, *rest, *runtime]
