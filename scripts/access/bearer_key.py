"""A key of the service, as requests presents it."""

from __future__ import annotations

from requests import PreparedRequest
from requests.auth import AuthBase


class BearerKey(AuthBase):
    """Presents a key, unless it is empty.

    As `auth` it is safe from the user's .netrc, which overrides headers.
    """

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        if self._key:
            request.headers["Authorization"] = f"Bearer {self._key}"
        return request
