sleep 10 | npx wscat -c "$SLUICE_WEBSOCKET_URL" -H "Authorization: Bearer $FORWARD_KEY" \
  -x '{"action": "sendmessage", "data": "Hello"}' -w 10
