"""Amazon Bedrock's OpenAI-compatible endpoints, signed with the function's role.

https://docs.aws.amazon.com/bedrock/latest/userguide/endpoints.html
https://bedrock-runtime.{region}.amazonaws.com/openai/v1 is signed for the service "bedrock",
https://bedrock-mantle.{region}.api.aws/v1 for "bedrock-mantle". A Bedrock API key, if there is one,
is sent instead, as OpenAI's are.
https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html
"""

from __future__ import annotations

import re
import time
from urllib.parse import urlsplit

from sluice.aws.sigv4 import Credentials, Scope, sign
from sluice.errors import SettingsError
from sluice.named_tuple import NamedTuple
from sluice.upstream.providers import UpstreamRequest, upstream_headers, url_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sluice.settings import Settings
    from sluice.upstream.call import ModelCall

HOST = re.compile(
    r"(?:[\w.-]+\.)?bedrock-(?P<kind>runtime|mantle)(?:-fips)?\.(?P<region>[a-z]{2}[a-z0-9-]+)\."
    r"(?:vpce\.)?(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu|api\.aws)",
    re.ASCII,
)
SERVICES = {"runtime": "bedrock", "mantle": "bedrock-mantle"}
"""The services in a signature's scope; IAM actions have the same names."""
GUARDRAILS = "x-amzn-bedrock-"
"""Prefix of headers such as X-Amzn-Bedrock-GuardrailIdentifier, which a client may set.
https://docs.aws.amazon.com/bedrock/latest/userguide/inference-chat-completions.html"""


class SigningScope(NamedTuple):
    """The region and service that a signature is valid for."""

    region: str
    service: str


def scope_of_host(base_url: str) -> SigningScope | None:
    """The region and service that a Bedrock host is signed for; None for any other host."""
    found = HOST.fullmatch(urlsplit(base_url).hostname or "")
    return SigningScope(found["region"], SERVICES[found["kind"]]) if found else None


def signing_scope(settings: Settings, base_url: str, own_region: str) -> SigningScope:
    """UPSTREAM_AWS_REGION and UPSTREAM_AWS_SERVICE, or else the host's region and service.

    own_region: the function's, for hosts that have none. Raises SettingsError.
    """
    host = scope_of_host(base_url) or SigningScope(own_region, SERVICES["runtime"])
    region = settings.upstream_aws_region or host.region
    if not region:
        rule = "must be the region to sign for, such as us-east-1"
        raise SettingsError("UPSTREAM_AWS_REGION", rule, "nothing")
    return SigningScope(region, settings.upstream_aws_service or host.service)


class BedrockProvider:
    """An API below `base_url`, which has no slash at its end.

    environ: holds the credentials, which Lambda renews. clock: seconds since 1970.
    """

    name = "bedrock"
    mends_stream_end = False
    counts_streams = True
    has_deployments = False

    def __init__(
        self,
        base_url: str,
        scope: SigningScope,
        environ: Mapping[str, str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.base_url = base_url
        self._scope = scope
        self._environ = environ
        self._clock = clock

    def request(self, call: ModelCall, key: str | None) -> UpstreamRequest:
        # A signature's verifier may read + as itself: a space is sent in the form that is clear.
        url = url_of(self.base_url, call.path, call.query.replace("+", "%20"))
        headers = upstream_headers(call, (GUARDRAILS,))
        if key is not None:
            headers["authorization"] = f"Bearer {key}"
        else:
            headers.update(self._signature(call, url, headers))
        return UpstreamRequest(call.method, url, headers, call.body)

    def own_answer(self, call: ModelCall) -> bytes | None:
        del call  # the provider answers all calls
        return None

    def _signature(self, call: ModelCall, url: str, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers that sign a call. Only these are signed: a proxy may change the others."""
        of_bedrock = {name: v for name, v in headers.items() if name.startswith(GUARDRAILS)}
        content_type = headers.get("content-type")
        signed = {**of_bedrock, **({"content-type": content_type} if content_type else {})}
        scope = Scope(self._scope.region, self._scope.service, self._clock())
        added = sign(call.method, url, call.body, self._credentials(), scope, signed)
        return {name.lower(): value for name, value in added.items()}

    def _credentials(self) -> Credentials:
        try:
            return Credentials.from_environ(self._environ)
        except KeyError as error:
            rule = "must be set: Lambda gives a function its credentials"
            raise SettingsError(str(error.args[0]), rule) from error
