"""From the handler string of a function ("package/module.name") to the callable."""

from __future__ import annotations

import sys

from awslambda.errors import HandlerLoadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def load_handler(handler_string: str) -> Callable[..., Any]:
    """Import the handler.

    Raises HandlerLoadError with AWS's names. Exceptions of the module itself pass through.
    """
    module_name, dot, attribute = handler_string.rpartition(".")
    if not dot:
        raise HandlerLoadError(
            "Runtime.MalformedHandlerName",
            f"Bad handler '{handler_string}': expected MODULE.FUNCTION, such as app.handler",
        )
    if module_name.partition(".")[0] in sys.builtin_module_names:
        raise HandlerLoadError(
            "Runtime.BuiltInModuleConflict",
            f"Cannot use built-in module {module_name} as a handler module",
        )
    module = _import(module_name)
    if not hasattr(module, attribute):
        raise HandlerLoadError(
            "Runtime.HandlerNotFound", f"Handler '{attribute}' missing on module '{module_name}'"
        )
    handler: Callable[..., Any] = getattr(module, attribute)
    return handler


def _import(module_name: str) -> object:
    try:
        dotted = module_name.replace("/", ".")
        __import__(dotted)  # importlib.import_module imports `warnings`
        return sys.modules[dotted]
    except ImportError as error:
        raise HandlerLoadError(
            "Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}"
        ) from error
    except SyntaxError as error:
        raise HandlerLoadError(
            "Runtime.UserCodeSyntaxError",
            f"Syntax error in module '{module_name}': {error}",
            (f'  File "{error.filename}" Line {error.lineno}\n    {error.text}',),
        ) from error
