"""Parameters of AWS Systems Manager's Parameter Store.

https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html
"""

from __future__ import annotations

from sluice.aws.json_api import Limits
from sluice.aws.json_protocol import Service, invalid_reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from sluice.aws.json_api import JsonApi

SSM = Service("ssm", "AmazonSSM", "1.1")
LIMITS = Limits(connect_s=1.0, reply_s=2.0, total_s=4.0, attempts=3)
"""SSM answers in milliseconds, and $connect has 10 s."""
MAX_NAMES = 10
"""Maximum number of names in one request: SSM's limit."""


def read_parameters(api: JsonApi, names: Sequence[str]) -> dict[str, str]:
    """The decrypted values of those parameters that exist. Raises AwsError.

    AWS refuses all of them if the role may not read one.
    """
    found: dict[str, str] = {}
    for start in range(0, len(names), MAX_NAMES):
        asked = {"Names": list(names[start : start + MAX_NAMES]), "WithDecryption": True}
        reply = api.call("GetParameters", asked, may_repeat=True)
        try:
            found.update((str(each["Name"]), str(each["Value"])) for each in reply["Parameters"])
        except (TypeError, KeyError) as error:
            raise invalid_reply() from error
    return found
