from __future__ import annotations

import pytest

from tests.packaging.packaged_service import Package, copy_service, package

SECRETS = {
    "OPENAI_API_KEY": "sk-a-key-that-must-stay-here",
    "FORWARD_KEY": "a-forward-key-that-must-stay-here",
    "AZURE_OPENAI_TOKEN": "a-token-that-must-stay-here",
}


@pytest.fixture(scope="session")
def by_default(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """Packaged on a machine where nothing is set."""
    return package(copy_service(tmp_path_factory.mktemp("default")), {})


@pytest.fixture(scope="session")
def customized(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """Packaged elsewhere, by somebody with keys in the shell and another umask."""
    settings = {
        **SECRETS,
        "FUNCTION_URL_AUTH": "none",
        "WEBSOCKET_AUTH": "aws_iam",
        "OPENAI_MODEL": "another-model",
        "ASCII_QUOTES": "true",
        "LOG_CHAT": "true",
    }
    return package(copy_service(tmp_path_factory.mktemp("customized")), settings, umask=0o077)
