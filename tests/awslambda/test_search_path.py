"""Where a function's modules are looked for."""

from __future__ import annotations

from awslambda.search_path import search_path

BEGAN_WITH = ["/opt/python", "/var/lang/lib/python3.13", "/var/lang/lib/python3.13/site-packages"]


def test_function_comes_before_layers_before_python_before_lambdas_own() -> None:
    environ = {"LAMBDA_TASK_ROOT": "/var/task", "LAMBDA_RUNTIME_DIR": "/var/runtime"}
    assert search_path(environ, "/opt/python", "3.13", BEGAN_WITH) == [
        "/var/task",
        "/opt/python/lib/python3.13/site-packages",
        "/opt/python",
        "/var/lang/lib/python3.13",
        "/var/lang/lib/python3.13/site-packages",
        "/var/runtime",
    ]


def test_pythonpath_of_the_author_stands_in_for_the_layers() -> None:
    environ = {"LAMBDA_TASK_ROOT": "/var/task", "PYTHONPATH": "/mine"}
    began_with = ["/opt/python", "/mine", "/var/lang/lib/python3.13"]
    assert search_path(environ, "/opt/python", "3.13", began_with) == ["/var/task", *began_with]
