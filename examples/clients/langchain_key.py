import os

from langchain_openai import ChatOpenAI

model = ChatOpenAI(
    base_url=os.environ["SLUICE_URL"] + "/v1",
    api_key=os.environ["FORWARD_KEY"],
    model="gpt-6-luna",
)
for chunk in model.stream("Hello"):
    print(chunk.text, end="", flush=True)
print()
