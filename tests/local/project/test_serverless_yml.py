"""Reading serverless.yml."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.errors import ConfigurationError
from local.project.serverless_yml import ServiceFile, ServiceSettings

FILE = """
service: sluice
params:
  default: {size: 256, color: red}
  dev: {color: blue}
provider:
  name: aws
  runtime: python3.13
  stage: ${opt:stage, 'dev'}
  region: ${ssm:/not/needed}
  memorySize: 512
  layers: [!Ref RuntimeLambdaLayer, {Ref: SharedLambdaLayer}]
  environment:
    TABLE: !Ref Table
    LONG: {Fn::GetAtt: [Table, Arn]}
    COLOR: ${param:color}
    NUMBER: 3
    FLAG: true
    PARAMETER: ${env:PARAMETER, '/sluice/${sls:stage}/key'}
functions:
  connect: {handler: functions/connect/handler.handler, timeout: 10, events: [websocket: $connect]}
  default:
    handler: functions/default/handler.handler
    memorySize: ${param:size}
    environment: {COLOR: green, OWN: 'yes'}
    package: {patterns: ['${unknown:thing}']}
    events:
      - websocket: $default
      - websocket: {route: sendmessage}
      - schedule: rate(1 day)
  stream:
    handler: functions/stream/handler.handler
    timeout: ${env:TIMEOUT, 900}
    layers: [!Ref SharedLambdaLayer]
    url: {authorizer: "${env:AUTHORIZER, 'aws_iam'}", invokeMode: '${env:WHATEVER}'}
layers:
  runtime: {path: layers/runtime, name: '${ssm:/x}'}
  shared: {path: layers/shared}
resources:
  Anything: !Sub ['${A}', {A: !GetAtt B.C}]
"""


def read(tmp_path: Path, text: str = FILE, **environ: str) -> ServiceSettings:
    path = tmp_path / "serverless.yml"
    path.write_text(text)
    return ServiceFile(path).service(environ)


def test_functions_are_read_with_their_settings(tmp_path: Path) -> None:
    connect, default, stream = read(tmp_path).functions
    assert (connect.name, connect.timeout_s, connect.memory_mb) == ("sluice-dev-connect", 10, 512)
    assert (default.name, default.timeout_s, default.memory_mb) == ("sluice-dev-default", 6, 256)
    assert (stream.handler, stream.timeout_s) == ("functions/stream/handler.handler", 900)
    assert [function.has_url for function in (connect, default, stream)] == [False, False, True]
    assert [function.url_auth for function in (connect, default, stream)] == [
        "none",
        "none",
        "aws_iam",
    ]


def test_environment_is_text_without_cloudformation_values(tmp_path: Path) -> None:
    connect, default, _ = read(tmp_path, PARAMETER="/mine").functions
    assert connect.environment == {
        "COLOR": "blue",
        "NUMBER": "3",
        "FLAG": "true",
        "PARAMETER": "/mine",
    }
    assert default.environment["COLOR"] == "green"
    assert default.environment["OWN"] == "yes"


def test_nested_fallback_sees_the_stage(tmp_path: Path) -> None:
    assert read(tmp_path).functions[0].environment["PARAMETER"] == "/sluice/dev/key"


def test_stage_picks_its_params(tmp_path: Path) -> None:
    service = read(tmp_path, FILE.replace("'dev'", "'prod'"))
    assert service.stage == "prod"
    assert service.functions[0].environment["COLOR"] == "red"


def test_layers_are_attached_by_their_cloudformation_names(tmp_path: Path) -> None:
    connect, _, stream = read(tmp_path).functions
    assert connect.layers == (tmp_path / "layers/runtime", tmp_path / "layers/shared")
    assert stream.layers == (tmp_path / "layers/shared",)


def test_routes_and_url_are_found(tmp_path: Path) -> None:
    service = read(tmp_path)
    assert service.routes() == {
        "$connect": "connect",
        "$default": "default",
        "sendmessage": "default",
    }
    assert service.route_selection == "$request.body.action"
    url_function = service.url_function()
    assert url_function is not None
    assert url_function.key == "stream"


SELF = """
service: s
provider:
  environment:
    NAME: ${self:custom.names.1}-${self:provider.stage, 'none'}
    NEITHER: ${param:nope, self:custom.names.7, self:custom.names.x, 'nor'}
    TAG: !Select {0: a}
custom:
  names: [a, b]
functions: {f: {handler: a.b}}
"""


def test_values_of_the_file_itself_are_found_by_their_path(tmp_path: Path) -> None:
    (function,) = read(tmp_path, SELF).functions
    assert function.environment == {"NAME": "b-none", "NEITHER": "nor"}


MINIMAL = "service: s\nfunctions: {f: {handler: a.b}}\n"


def test_minimal_file_gets_the_defaults_of_the_framework(tmp_path: Path) -> None:
    service = read(tmp_path, MINIMAL)
    (function,) = service.functions
    assert (service.stage, function.timeout_s, function.memory_mb) == ("dev", 6, 1024)
    assert function.layers == ()
    assert service.url_function() is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "serverless.yml, line 1: invalid YAML: expected"),
        ("[" * 500, "invalid YAML"),
        ("service: 2024-13-45", "invalid YAML: month must be"),
        ("service: !!int x", "invalid YAML"),
        (FILE.replace("LONG: {", "LONG: &a {B: *a, "), "a value contains itself"),
        (FILE.replace("memorySize: 512", "memorySize: .inf"), "memorySize must be megabytes"),
        (FILE.replace("memorySize: 512", "memorySize: .nan"), "memorySize must be megabytes"),
        ("- a", "must be a mapping"),
        ("service: s", "at least one function"),
        ("functions: {f: {handler: a.b}}", "service must be a name"),
        ("service: s\nfunctions: {f: {}}", "handler must be path"),
        ("service: s\nfunctions: [f]", "functions must be a mapping"),
        (MINIMAL.replace("a.b", "a.b, timeout: 901"), "timeout must be 1 to 900"),
        (MINIMAL.replace("a.b", "a.b, memorySize: much"), "memorySize must be megabytes"),
        (MINIMAL.replace("a.b", "a.b, layers: [!Ref Nope]"), "unknown layer 'Nope'"),
        (MINIMAL.replace("a.b", "a.b, layers: ['arn:x']"), "unknown layer 'arn:x'"),
        (MINIMAL.replace("a.b", "a.b, layers: nope"), "layers must be a list"),
        (MINIMAL.replace("a.b", "a.b, events: x"), "events must be a list"),
        (MINIMAL.replace("a.b", "a.b, events: [websocket: {x: 1}]"), "must name its route"),
        (
            "service: s\nfunctions: {f: {handler: a.b, url: true}, g: {handler: a.b, url: true}}",
            "one function with a url only",
        ),
        (MINIMAL.replace("a.b", "a.b, timeout: '${env:NONE}'"), "cannot resolve"),
    ],
)
def test_invalid_file_is_rejected_with_its_reason(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read(tmp_path, text)


def test_missing_file_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"Cannot read /.*/serverless\.yml: No such"):
        ServiceFile(tmp_path / "serverless.yml").service({})


def test_binary_file_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "serverless.yml"
    path.write_bytes(b"service: \xfa")
    with pytest.raises(ConfigurationError, match="invalid YAML"):
        ServiceFile(path).service({})
