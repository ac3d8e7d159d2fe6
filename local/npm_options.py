"""Options that npm takes for its own: `npm start --http-port 3100`, without `--` (no I/O).

npm passes them on as variables: `npm_config_http_port=3100`. Since npm 11 the variable is `true`
and the value is an argument without a name, unless it was written `--http-port=3100`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from local.errors import ConfigurationError

_TAKEN = "true"


def with_npm_options(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    names: Iterable[str],
    flags: Iterable[str] = (),
    event: str = "start",
) -> list[str]:
    """Return `arguments` with the options that npm took among `names` and, without values, `flags`.

    event: the npm script that runs; an enclosing npm's variables say nothing.
    Raises ConfigurationError, with the line to write, if it is unclear which value is whose.
    """
    if environ.get("npm_lifecycle_event") != event:
        return list(arguments)
    taken = {name: environ[key] for name in names if (key := f"npm_config_{name}") in environ}
    without_value = [name for name, value in taken.items() if value == _TAKEN]
    values = [argument for argument in arguments if not argument.startswith("-")]
    if len(without_value) == 1 and list(arguments) == values and len(values) == 1:
        taken[without_value[0]] = values[0]
        arguments = ()
    elif without_value:
        options = (f"{_option(n)} {n.upper() if v == _TAKEN else v}" for n, v in taken.items())
        raise ConfigurationError(
            f"npm took {', '.join(map(_option, taken))} for options of its own. Write them after "
            f"--: npm {_script(event)} -- {' '.join(options)}"
        )
    found = [part for name, value in taken.items() for part in (_option(name), value)]
    set_flags = [_option(flag) for flag in flags if environ.get(f"npm_config_{flag}") == _TAKEN]
    return [*set_flags, *found, *arguments]


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _script(event: str) -> str:
    return event if event == "start" else f"run {event}"
