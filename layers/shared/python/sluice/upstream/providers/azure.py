"""Azure OpenAI: deployments instead of models, and two surfaces.

Classic: /openai/deployments/{deployment}/chat/completions?api-version=2024-10-21, where the URL
names the deployment; what belongs to no deployment is at /openai/{path}?api-version=….
https://learn.microsoft.com/azure/ai-foundry/openai/reference
v1: /openai/v1/chat/completions, OpenAI's own paths and bodies, where "model" names the deployment.
https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle
"""

from __future__ import annotations

import json
import re
from urllib.parse import quote, unquote

from sluice.errors import InvalidField, SettingsError
from sluice.http.urls import without_parameter
from sluice.named_tuple import NamedTuple
from sluice.upstream.providers import UpstreamRequest, upstream_headers, url_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from sluice.upstream.call import ModelCall

ENDPOINT = "AZURE_OPENAI_ENDPOINT"
API_VERSION = "AZURE_OPENAI_APIVERSION"
RESOURCE = re.compile(r"(?P<resource>https?://[^/]+)(?:/openai(?P<v1>/v1)?)?")
DEFAULT_API_VERSION = "2023-03-15-preview"  # azure-openai-proxy's default
COUNTING_VERSION = "api-version=2024-09-01-preview"
DATED_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?", re.ASCII)
V1_VERSIONS = {"v1": "", "preview": "api-version=preview", "latest": "api-version=latest"}
"""Values of AZURE_OPENAI_APIVERSION that select the v1 surface, and the query of each."""
DEFAULT_MAPPER = {"gpt-3.5-turbo": "gpt-35-turbo", "gpt-3.5-turbo-0301": "gpt-35-turbo-0301"}
NOT_IN_DEPLOYMENTS = re.compile("[.:]")
PATHS_OF_DEPLOYMENTS = frozenset(
    (
        "/audio/speech", "/audio/transcriptions", "/audio/translations", "/chat/completions",
        "/completions", "/embeddings", "/images/edits", "/images/generations",
    )
)  # fmt: skip
CREATED = 1_677_649_963  # as in azure-openai-proxy's list; Azure gives no time


class Surface(NamedTuple):
    """root: the URL before the paths. query: the api-version, if one is needed."""

    root: str
    query: str
    is_v1: bool


class AzureProvider:
    """Azure OpenAI through one of its surfaces.

    mapper: the deployment of each model; extends DEFAULT_MAPPER. default_model: for calls that need
    a deployment and name no model (OPENAI_MODEL); without it they raise InvalidField. The surface's
    api-version replaces the client's: Azure rejects two.
    """

    name = "azure"
    mends_stream_end = True
    """Its streams end with "data: [DONE]" and one line end; some clients wait for a second one."""

    def __init__(
        self, surface: Surface, mapper: Mapping[str, str], default_model: str | None = None
    ) -> None:
        self._surface = surface
        self._mapper = {**DEFAULT_MAPPER, **mapper}
        self._default_model = default_model

    @property
    def base_url(self) -> str:
        return self._surface.root

    @property
    def has_deployments(self) -> bool:
        return not self._surface.is_v1

    @property
    def counts_streams(self) -> bool:
        """Classic versions before 2024-09-01-preview reject stream_options."""
        return self._surface.is_v1 or self._surface.query >= COUNTING_VERSION

    def request(self, call: ModelCall, key: str | None) -> UpstreamRequest:
        headers = upstream_headers(call)
        if key is not None:
            headers["api-key"] = key
        needs_deployment = call.method == "POST" and call.path in PATHS_OF_DEPLOYMENTS
        model = call.model or (self._default_model if needs_deployment else None)
        if needs_deployment and not self._surface.is_v1:
            deployment = self._deployment(model)
            url = self._url(f"/deployments/{quote(deployment, safe='')}{call.path}", call.query)
            return UpstreamRequest(call.method, url, headers, call.body, deployment)
        asked = self._by_deployment(call, model)
        url = self._url(call.path, call.query)
        return UpstreamRequest(call.method, url, headers, asked.body, asked.model)

    def own_answer(self, call: ModelCall) -> bytes | None:
        """The models of the mapper: Azure's own list names what could be deployed."""
        if call.method != "GET":
            return None
        names = [*self._mapper, self._default_model] if self._default_model else [*self._mapper]
        models = {name: _model(name) for name in names}
        if call.path == "/models":
            return json.dumps({"object": "list", "data": [*models.values()]}).encode()
        model = models.get(unquote(call.path.removeprefix("/models/")))
        return json.dumps(model).encode() if model else None

    def _deployment(self, model: str | None) -> str:
        deployment = self._mapper.get(model) or NOT_IN_DEPLOYMENTS.sub("", model) if model else ""
        if not deployment:
            raise InvalidField(
                "model is required: it names Azure's deployment (got none).", param="model"
            )
        return deployment

    def _by_deployment(self, call: ModelCall, model: str | None) -> ModelCall:
        """The call with the deployment as its model; the call itself if they are the same."""
        deployment = self._mapper.get(model, model) if model else None
        return call.by_model(deployment) if deployment and deployment != call.model else call

    def _url(self, path: str, query: str) -> str:
        kept = without_parameter(query, "api-version")
        parts = (part for part in (kept, self._surface.query) if part)
        return url_of(self._surface.root, path, "&".join(parts))


def surface_of(endpoint: str, version: str) -> Surface:
    """The surface that the settings select. Raises SettingsError.

    endpoint: https://NAME.openai.azure.com, with or without /openai or /openai/v1. /openai/v1
    selects the v1 surface, as AZURE_OPENAI_APIVERSION=v1 does.
    """
    found = RESOURCE.fullmatch(endpoint)
    if found is None:
        rule = "must be https://NAME.openai.azure.com, with or without /openai or /openai/v1"
        raise SettingsError(ENDPOINT, rule, repr(endpoint) if endpoint else "nothing")
    root, says_v1 = f"{found['resource']}/openai", bool(found["v1"])
    chosen = version or ("v1" if says_v1 else DEFAULT_API_VERSION)
    if chosen in V1_VERSIONS:
        return Surface(f"{root}/v1", V1_VERSIONS[chosen], is_v1=True)
    if says_v1:
        rule = f"must be v1 or preview, because {ENDPOINT} ends with /openai/v1"
        raise SettingsError(API_VERSION, rule, repr(version))
    if not DATED_VERSION.fullmatch(chosen):
        rule = "must be v1 or a date such as 2024-10-21 or 2024-10-01-preview (quoted in YAML)"
        raise SettingsError(API_VERSION, rule, repr(version))
    return Surface(root, f"api-version={chosen}", is_v1=False)


def _model(model: str) -> dict[str, object]:
    """OpenAI's model object. https://platform.openai.com/docs/api-reference/models/object"""
    return {"id": model, "object": "model", "created": CREATED, "owned_by": "openai"}
