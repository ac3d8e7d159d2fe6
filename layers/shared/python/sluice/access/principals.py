"""Who makes a request, by a name for logs and by the item that counts for it (no I/O)."""

from __future__ import annotations

from sluice.authentication import key_digest
from sluice.named_tuple import NamedTuple


class Principal(NamedTuple):
    """Who makes a request.

    name: for logs, not a secret. account: the key of its item in the store. has_record: whether
    only a record knows it.
    """

    name: str
    account: str
    has_record: bool = False

    @property
    def logged(self) -> dict[str, str]:
        """Its fields in a log line."""
        alias = {"key_alias": self.name} if self.has_record else {}
        return {"principal": self.name, **alias}


def account_of_key(key: str) -> str:
    """The item of a key, which it does not reveal."""
    return f"key {key_digest(key)}"


def account_of_principal(arn: str) -> str:
    """The item of whoever signs as this ARN; an assumed role counts as its role."""
    return f"arn {role_of(arn)}"


def role_of(arn: str) -> str:
    """An ARN without the session's name.

    arn:aws:sts::123456789012:assumed-role/NAME/SESSION has assumed arn:aws:iam::…:role/PATH/NAME.
    The former lacks the role's path, so the result does, too.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns
    """
    start, _, resource = arn.rpartition(":")
    kind, *names = resource.split("/")
    if kind == "assumed-role" and names:
        return f"{start.replace(':sts:', ':iam:', 1)}:role/{names[0]}"
    if kind == "role" and names:
        return f"{start}:role/{names[-1]}"
    return arn
