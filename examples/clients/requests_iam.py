import os

import requests
from sigv4_auth import RequestsSigV4Auth

reply = requests.post(
    os.environ["SLUICE_URL"] + "/",
    json={"messages": [{"role": "user", "content": "Hello"}], "response_type": "full"},
    auth=RequestsSigV4Auth(region="us-east-1"),
    timeout=300,
)
reply.raise_for_status()
print(reply.text)
