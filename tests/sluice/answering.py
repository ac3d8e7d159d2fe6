"""ModelAnswers as the functions build them, for the tests of both transports."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sluice.aws.ssm_parameter import read_parameter
from sluice.completions.answer import ModelAnswers
from sluice.key_ring import KeyRing
from sluice.settings import Settings, read_settings
from sluice.upstream.client import UpstreamClient
from sluice.upstream.targets import Target, read_targets

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET = "sk-secret-0123456789"


class Answering(NamedTuple):
    settings: Settings
    targets: tuple[Target, ...]
    forward_keys: KeyRing
    answers: ModelAnswers


def answering_with(variables: Mapping[str, str]) -> Answering:
    """Answers without pauses between attempts."""
    settings = read_settings(variables)
    targets = read_targets(variables, settings)
    client = UpstreamClient(settings, targets, read_parameter, random=lambda: 0.0)
    forward_keys = KeyRing(settings.forward_keys, read_parameter)
    answers = ModelAnswers(settings, variables, client, targets[0], forward_keys)
    return Answering(settings, targets, forward_keys, answers)
