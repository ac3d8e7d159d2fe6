"""$disconnect: a connection holds nothing to release; an answer under way ends at its next post."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from awslambda.context import LambdaContext


def handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    return {"statusCode": 200}
