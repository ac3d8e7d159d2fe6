"""typing.NamedTuple without `typing`, which is as slow to import as ten modules of this package.

Write values as usual: `class Point(NamedTuple)` with annotated fields. A type checker sees
typing.NamedTuple itself. `collections.namedtuple` compiles a function for each class and makes all
methods anew, which adds 2 ms to the start of a function with twenty of them.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple  # noqa: PLC0414 -- for others to import
else:
    from collections import _tuplegetter
    from functools import cache

    class _Values(tuple):
        """What named tuples have in common."""

        __slots__ = ()
        _fields = ()
        _field_defaults = {}  # noqa: RUF012 -- never changed

        def _asdict(self):  # noqa: ANN202 -- see NamedTuple's
            return dict(zip(self._fields, self, strict=True))

        def _replace(self, **changed):  # noqa: ANN003, ANN202 -- see above
            values = [*map(changed.pop, self._fields, self)]
            return type(self)(*values, **changed)

        def __getnewargs__(self):  # noqa: ANN204 -- see above
            return tuple(self)

        def __repr__(self) -> str:
            shown = ", ".join(f"{field}={value!r}" for field, value in self._asdict().items())
            return f"{type(self).__name__}({shown})"

    @cache
    def _constructor(size):  # noqa: ANN001, ANN202 -- see above
        """A `__new__` for so many fields: it is compiled once, and its parameters are renamed."""
        names = "".join(f"_{number}, " for number in range(size))
        source = f"lambda _class, {names}: new(_class, ({names}))"
        return eval(source, {"new": tuple.__new__})  # noqa: S307 -- only numbers are joined

    def _constructor_of(fields, defaults):  # noqa: ANN001, ANN202 -- see above
        template = _constructor(len(fields))
        code = template.__code__.replace(co_name="__new__", co_varnames=("_class", *fields))
        return type(template)(code, template.__globals__, "__new__", defaults)

    class _FromAnnotations(type):
        """Turns a class statement into the named tuple of its fields, with its methods."""

        def __new__(cls, name, bases, namespace):  # noqa: ANN001, ANN204 -- see above
            del bases
            fields = tuple(namespace.get("__annotations__", {}))
            defaults = {field: namespace[field] for field in fields if field in namespace}
            getters = {field: _tuplegetter(n, "") for n, field in enumerate(fields)}
            names = {"_fields": fields, "__match_args__": fields, "_field_defaults": defaults}
            new = _constructor_of(fields, tuple(defaults.values()))
            made = {"__slots__": (), "__new__": new, **namespace, **getters, **names}
            return type(name, (_Values,), made)

    NamedTuple = type.__new__(_FromAnnotations, "NamedTuple", (), {})
