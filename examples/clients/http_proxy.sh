http_proxy=$SLUICE_URL curl -N http://api.openai.com/v1/chat/completions \
  -H "Authorization: Bearer $FORWARD_KEY" \
  -H "Content-Type: application/json" \
  -d '{"model": "gpt-6-luna", "messages": [{"role": "user", "content": "Hello"}], "stream": true}'
