"""Variables of serverless.yml."""

from __future__ import annotations

import pytest

from local.errors import UnresolvedVariableError
from local.project.variables import MISSING, Expression, Resolver, split_text

FILE: dict[str, object] = {
    "stage": "dev",
    "nested": "${self:stage}-x",
    "circle": "${self:circle}",
    "list": [1, 2],
    "nothing": None,
}
ENVIRON = {"NAME": "value", "EMPTY": "", "DOLLAR": "costs ${self:stage}"}


def resolver() -> Resolver:
    return Resolver(
        {
            "self": lambda name: FILE.get(name, MISSING),
            "env": lambda name: ENVIRON.get(name, MISSING),
            "opt": lambda _name: MISSING,
        }
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        (7, 7),
        ("${self:stage}", "dev"),
        ("a-${self:stage}-b", "a-dev-b"),
        ("${self:list}", [1, 2]),
        ("${self:nested}", "dev-x"),
        ("${env:NAME}", "value"),
        ("${env:EMPTY, 'other'}", ""),
        ("${env:NONE, 'other'}", "other"),
        ('${env:NONE, "a, b}"}', "a, b}"),
        ("${env:NONE, 900}", 900),
        ("${env:NONE, 1.5}", 1.5),
        ("${env:NONE, true}", True),
        ("${env:NONE, env:NAME, 'x'}", "value"),
        ("${opt:region, env:NONE, 'us-east-1'}", "us-east-1"),
        ("${env:NONE, ${self:stage}}", "dev"),
        ("${env:NONE, ${env:NOR_THIS}, 'third'}", "third"),
        ("${env:NONE, '/x/${self:stage}/y'}", "/x/dev/y"),
        ("${self:${env:NONE, 'stage'}}", "dev"),
        ("${self:nothing, 'instead'}", "instead"),
        ("${env:DOLLAR}", "costs ${self:stage}"),
        ("flag-${env:NONE, true}", "flag-true"),
        ("open ${self:stage", "open ${self:stage"),
        (["${self:stage}", {"k": "${env:NAME}"}], ["dev", {"k": "value"}]),
    ],
)
def test_value_is_resolved(value: object, expected: object) -> None:
    assert resolver().resolve(value, "place") == expected


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("${env:NONE}", "it has no value"),
        ("${ssm:/secret}", "it has no value"),
        ("${nonsense}", "it has no value"),
        ("${self:circle}", "refers to itself"),
        ("x${self:list}", "part of a text"),
    ],
)
def test_unresolved_expression_is_named_with_its_place(value: str, reason: str) -> None:
    message = rf"cannot resolve \$\{{.* at functions\.key\[0\]: .*{reason}"
    with pytest.raises(UnresolvedVariableError, match=message):
        resolver().resolve({"key": [value]}, "functions")


def test_text_is_split_at_expressions() -> None:
    assert split_text("a${x:y, 'z'}b${c}") == [
        "a",
        Expression("${x:y, 'z'}", ("x:y", "'z'")),
        "b",
        Expression("${c}", ("c",)),
    ]
