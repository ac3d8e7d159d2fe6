"""Reads serverless.yml: its functions, routes, layers and environment.

Only these parts are resolved; `resources`, `custom` and `iam` may hold anything.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml

from local.errors import ConfigurationError
from local.limits import DEFAULT_FUNCTION_TIMEOUT_S, DEFAULT_MEMORY_MB, MAX_FUNCTION_TIMEOUT_S
from local.project.variables import MISSING, Resolver

REGION = "us-east-1"
"""The region of the local stack; signatures must be for it."""

OWN_SETTING = "FUNCTION_URL_AUTH"
"""The setting of Sluice's serverless.yml by which the file is known."""

DEFAULT_ROUTE_SELECTION = "$request.body.action"
"""The framework's default expression."""

Read = TypeVar("Read")
_FROM_ENVIRONMENT = re.compile(r"\$\{env:\s*(\w+)")
_STAGE = re.compile(r"[A-Za-z0-9-]+")
_FUNCTION_KEYS = ("handler", "name", "timeout", "memorySize", "environment", "layers", "events")


@dataclass(frozen=True, slots=True)
class CloudFormationTag:
    """A value that only CloudFormation can resolve, such as `!Ref TableName`."""

    name: str
    value: object


@dataclass(frozen=True, slots=True)
class FunctionSettings:
    """One function of the file; `environment` holds text only, no CloudFormation values."""

    key: str
    name: str
    handler: str
    timeout_s: float
    memory_mb: int
    environment: Mapping[str, str]
    layers: tuple[Path, ...]
    routes: tuple[str, ...]
    has_url: bool
    url_auth: str = "none"
    """The authorizer of its URL. Sluice's own setting, FUNCTION_URL_AUTH, replaces it."""


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """The parts of the service that run locally."""

    folder: Path
    service: str
    stage: str
    runtime: str
    route_selection: str
    functions: tuple[FunctionSettings, ...]
    is_gateway: bool = True
    """Whether this is Sluice itself, and not a service of the user's own functions."""

    def routes(self) -> dict[str, str]:
        """Return the key of the function for each WebSocket route."""
        return {route: function.key for function in self.functions for route in function.routes}

    def url_function(self) -> FunctionSettings | None:
        return next((function for function in self.functions if function.has_url), None)


class ServiceFile:
    """The file at `path`: first `stage`, then `service`. Raises ConfigurationError.

    `environ` is for `${env:…}`; `stage` is for `${opt:stage}`, other options have no values.
    """

    def __init__(self, path: Path) -> None:
        document = _document(path)
        if not isinstance(document, dict):
            raise ConfigurationError(f"{path} must be a mapping with service and functions.")
        self._path = path
        self._document: dict[str, object] = document

    def is_gateway(self) -> bool:
        """Return whether the file is Sluice's own, and not that of other functions."""
        return OWN_SETTING in self.env_names()

    def env_names(self) -> frozenset[str]:
        """Return the names in `${env:NAME}`."""
        return frozenset(_FROM_ENVIRONMENT.findall(repr(self._document)))

    def stage(self, environ: Mapping[str, str], stage: str = "") -> str:
        """Return `stage`, or else that of the file."""
        found = self._resolved(_Reader.stage, environ, stage)
        if not _STAGE.fullmatch(found):
            raise ConfigurationError(f"The stage must be letters, digits, hyphens (got {found!r}).")
        return found

    def service(self, environ: Mapping[str, str], stage: str = "") -> ServiceSettings:
        """Return the service, resolved."""
        service = self._resolved(_Reader.service, environ, stage)
        return replace(service, is_gateway=self.is_gateway())

    def _resolved(
        self, read: Callable[[_Reader], Read], environ: Mapping[str, str], stage: str
    ) -> Read:
        try:
            return read(_Reader(self._document, self._path.resolve().parent, environ, stage))
        except RecursionError as error:
            raise ConfigurationError(f"{self._path}: a value contains itself.") from error


def _document(path: Path) -> object:
    try:
        # PyYAML passes on the ValueErrors of dates and numbers, and of bytes that are not text.
        return yaml.load(path.read_bytes(), Loader=_Loader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise ConfigurationError(f"Cannot read {path}: {error.strerror}.") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigurationError(f"{path}, line {line}: invalid YAML: {error.problem}.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path}: invalid YAML: {' '.join(str(error).split())}") from error


class _Loader(yaml.SafeLoader):
    """SafeLoader with CloudFormation's tags."""


def _tag(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> CloudFormationTag:
    value: object = None
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    return CloudFormationTag(suffix, value)


_Loader.add_multi_constructor("!", _tag)


class _Reader:
    def __init__(
        self,
        document: dict[str, object],
        folder: Path,
        environ: Mapping[str, str],
        stage: str,
    ) -> None:
        self._document = document
        self._folder = folder
        self._stage = stage
        self._resolver = Resolver(
            {
                "self": self._self,
                "env": lambda name: environ.get(name, MISSING),
                "opt": lambda name: stage if stage and name == "stage" else MISSING,
                "sls": lambda name: self.stage() if name == "stage" else MISSING,
                "param": self._param,
            }
        )
        self._provider = _mapping(document.get("provider"), "provider")

    def service(self) -> ServiceSettings:
        functions = _mapping(self._document.get("functions"), "functions")
        if not functions:
            raise ConfigurationError("serverless.yml must have at least one function.")
        found = tuple(
            self._function(str(key), _mapping(raw, f"functions.{key}"))
            for key, raw in functions.items()
        )
        if sum(function.has_url for function in found) > 1:
            raise ConfigurationError("serverless.yml may have one function with a url only.")
        selection = self._provider_value("websocketsApiRouteSelectionExpression")
        return ServiceSettings(
            self._folder,
            self._service_name(),
            self.stage(),
            str(self._provider_value("runtime") or "python3.13"),
            str(selection or DEFAULT_ROUTE_SELECTION),
            found,
        )

    def _function(self, key: str, unresolved: dict[str, object]) -> FunctionSettings:
        place = f"functions.{key}"
        raw = {
            name: self._get(unresolved, name, f"{place}.{name}")
            for name in _FUNCTION_KEYS
            if name in unresolved
        }
        handler = raw.get("handler")
        if not isinstance(handler, str) or "." not in handler:
            raise ConfigurationError(
                f"{place}.handler must be path/to/module.function (got {handler!r})."
            )
        return FunctionSettings(
            key=key,
            name=str(raw.get("name") or f"{self._service_name()}-{self.stage()}-{key}"),
            handler=handler,
            timeout_s=_timeout(raw.get("timeout") or self._provider_value("timeout"), place),
            memory_mb=_memory(raw.get("memorySize") or self._provider_value("memorySize"), place),
            environment=self._environment(raw, place),
            layers=self._layers(raw, place),
            routes=tuple(_routes(raw.get("events"), place)),
            has_url=bool(unresolved.get("url")),
            url_auth=self._url_auth(unresolved.get("url"), place),
        )

    def _url_auth(self, url: object, place: str) -> str:
        """Return the URL's authorizer; the framework's default is none."""
        own = url if isinstance(url, dict) else {}
        return str(self._get(own, "authorizer", f"{place}.url.authorizer") or "none")

    def _environment(self, raw: dict[str, object], place: str) -> dict[str, str]:
        shared = _mapping(self._provider_value("environment"), "provider.environment")
        own = _mapping(raw.get("environment"), f"{place}.environment")
        texts = {name: _environment_text(value) for name, value in {**shared, **own}.items()}
        return {str(name): text for name, text in texts.items() if text is not None}

    def _layers(self, raw: dict[str, object], place: str) -> tuple[Path, ...]:
        attached = raw.get("layers")
        attached = self._provider_value("layers") if attached is None else attached
        if not isinstance(attached, list):
            if attached is None:
                return ()
            raise ConfigurationError(f"{place}.layers must be a list.")
        known = self._layer_folders()
        folders = []
        for layer in attached:
            name = _reference(layer)
            if name is None or name not in known:
                raise ConfigurationError(
                    f"{place}.layers: unknown layer {name or layer!r}. "
                    f"Use a !Ref to one of: {', '.join(known) or '(this file has no layers)'}."
                )
            folders.append(known[name])
        return tuple(folders)

    def _layer_folders(self) -> dict[str, Path]:
        layers = _mapping(self._document.get("layers"), "layers")
        found = {}
        for name, raw in layers.items():
            key = str(name)
            path = self._get(_mapping(raw, f"layers.{key}"), "path", f"layers.{key}.path")
            found[f"{key[:1].upper()}{key[1:]}LambdaLayer"] = self._folder / str(path)
        return found

    def _service_name(self) -> str:
        name = self._get(self._document, "service", "service")
        if not isinstance(name, str) or not name:
            raise ConfigurationError(f"serverless.yml: service must be a name (got {name!r}).")
        return name

    def stage(self) -> str:
        return self._stage or str(self._provider_value("stage") or "dev")

    def _provider_value(self, name: str) -> object:
        return self._get(self._provider, name, f"provider.{name}")

    def _get(self, mapping: Mapping[str, object], name: str, place: str) -> object:
        return self._resolver.resolve(mapping.get(name), place)

    def _self(self, address: str) -> object:
        value: Any = self._document
        for step in filter(None, address.split(".")):
            if isinstance(value, list) and step.isdigit() and int(step) < len(value):
                value = value[int(step)]
            elif isinstance(value, dict) and step in value:
                value = value[step]
            else:
                return MISSING
        return value

    def _param(self, name: str) -> object:
        params = _mapping(self._document.get("params"), "params")
        for block in (self.stage(), "default"):
            values = _mapping(params.get(block), f"params.{block}")
            if name in values:
                return values[name]
        return MISSING


def _mapping(value: object, place: str) -> dict[str, object]:
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    raise ConfigurationError(f"{place} must be a mapping (got {type(value).__name__}).")


def _environment_text(value: object) -> str | None:
    # A mapping is CloudFormation's long form: {Ref: …}, {Fn::GetAtt: …}.
    if value is None or isinstance(value, (CloudFormationTag, dict, list)):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _reference(layer: object) -> str | None:
    if isinstance(layer, CloudFormationTag) and layer.name == "Ref":
        return str(layer.value)
    if isinstance(layer, dict) and isinstance(layer.get("Ref"), str):
        return str(layer["Ref"])
    return None


def _timeout(value: object, place: str) -> float:
    seconds = _number(value, DEFAULT_FUNCTION_TIMEOUT_S)
    if seconds is None or not 0 < seconds <= MAX_FUNCTION_TIMEOUT_S:
        raise ConfigurationError(
            f"{place}.timeout must be 1 to {MAX_FUNCTION_TIMEOUT_S:.0f} seconds (got {value!r})."
        )
    return seconds


def _memory(value: object, place: str) -> int:
    megabytes = _number(value, DEFAULT_MEMORY_MB)
    if megabytes is None or not 0 < megabytes < math.inf:
        raise ConfigurationError(f"{place}.memorySize must be megabytes (got {value!r}).")
    return int(megabytes)


def _number(value: object, default: float) -> float | None:
    if value is None:
        return float(default)
    try:
        return float(str(value))
    except ValueError:
        return None


def _routes(events: object, place: str) -> list[str]:
    if events is None:
        return []
    if not isinstance(events, list):
        raise ConfigurationError(f"{place}.events must be a list.")
    sockets = [
        event["websocket"] for event in events if isinstance(event, dict) and "websocket" in event
    ]
    routes = [item.get("route") if isinstance(item, dict) else item for item in sockets]
    if not all(isinstance(route, str) and route for route in routes):
        raise ConfigurationError(f"{place}: a websocket event must name its route.")
    return [str(route) for route in routes]
