"""typing.NamedTuple without `typing`, which is as slow to import as ten modules of this package.

Write values as usual: `class Point(NamedTuple)` with annotated fields. A type checker sees
typing.NamedTuple itself.
"""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple  # noqa: PLC0414 -- for others to import
else:
    OF_THE_CLASS_STATEMENT = ("__module__", "__qualname__", "__annotations__", "__dict__")

    class _FromAnnotations(type):
        """Turns a class statement into the named tuple of its fields, with its methods."""

        def __new__(cls, name, _bases, namespace):  # noqa: ANN001, ANN204 -- see NamedTuple's
            fields = namespace.get("__annotations__", {})
            defaults = [namespace[field] for field in fields if field in namespace]
            module = namespace["__module__"]
            made = namedtuple(name, fields, defaults=defaults, module=module)  # noqa: PYI024 -- see above
            for attribute, value in namespace.items():
                if attribute not in fields and attribute not in OF_THE_CLASS_STATEMENT:
                    setattr(made, attribute, value)
            return made

    NamedTuple = type.__new__(_FromAnnotations, "NamedTuple", (), {})
