"""Where Python finds a function's modules."""

from __future__ import annotations

from awslambda.search_path import search_path

INITIAL = ["/opt/python", "/var/lang/lib/python3.13", "/var/lang/lib/python3.13/site-packages"]


def test_order_is_function_layers_python_lambda() -> None:
    environ = {"LAMBDA_TASK_ROOT": "/var/task", "LAMBDA_RUNTIME_DIR": "/var/runtime"}
    assert search_path(environ, "/opt/python", "3.13", INITIAL) == [
        "/var/task",
        "/opt/python/lib/python3.13/site-packages",
        "/opt/python",
        "/var/lang/lib/python3.13",
        "/var/lang/lib/python3.13/site-packages",
        "/var/runtime",
    ]


def test_pythonpath_of_the_author_replaces_the_layers() -> None:
    environ = {"LAMBDA_TASK_ROOT": "/var/task", "PYTHONPATH": "/mine"}
    initial = ["/opt/python", "/mine", "/var/lang/lib/python3.13"]
    assert search_path(environ, "/opt/python", "3.13", initial) == ["/var/task", *initial]
