"""The whole service on one machine: Lambda, Function URL, WebSocket API and a demo model."""
