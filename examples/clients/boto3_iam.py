import json
import os
from urllib.request import Request, urlopen

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

url = os.environ["SLUICE_URL"] + "/"
body = json.dumps({"messages": [{"role": "user", "content": "Hello"}]})
request = AWSRequest("POST", url, data=body)
SigV4Auth(boto3.Session().get_credentials(), "lambda", "us-east-1").add_auth(request)

with urlopen(Request(url, body.encode(), dict(request.headers))) as reply:
    for line in reply:
        print(line.decode(), end="", flush=True)
