"""The WebSocket API, as API Gateway serves it."""
