import os

from openai import DefaultHttpx2Client, OpenAI
from sigv4_auth import HttpxSigV4Auth

client = OpenAI(
    base_url=os.environ["SLUICE_URL"] + "/v1",
    api_key="unused",  # the signature takes its place
    http_client=DefaultHttpx2Client(auth=HttpxSigV4Auth(region="us-east-1")),
)

stream = client.chat.completions.create(
    model="gpt-6-luna",
    messages=[{"role": "user", "content": "Hello"}],
    stream=True,
)
for chunk in stream:
    if chunk.choices and chunk.choices[0].delta:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
print()
