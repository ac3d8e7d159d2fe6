"""Which environment variables a request may name as its prompt."""

from __future__ import annotations

from local.project.prompt_templates import template_names


def test_names_that_match_the_patterns_are_offered() -> None:
    environment = {
        "PROMPT_TEMPLATES": "*_TEMPLATE,PROMPT_*",
        "PROMPT_HAIKU": "one haiku",
        "MAIL_TEMPLATE": "a mail",
        "PROMPT_EMPTY": "",
        "HOME": "/home/user",
    }
    assert template_names(environment) == ("MAIL_TEMPLATE", "PROMPT_HAIKU")
    assert template_names({"PROMPT_HAIKU": "one haiku"}) == ()


def test_names_that_may_be_secrets_are_not() -> None:
    names = ("PROMPT_KEY", "API_KEYS", "OPENAI_API_KEY", "AWS_REGION", "DBPASS", "_", "MY_TOKEN_1")
    environment = dict.fromkeys(names, "hush")
    assert template_names({**environment, "PROMPT_TEMPLATES": "*"}) == ()
