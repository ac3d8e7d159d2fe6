"""The WebSocket API: messages in, frames out."""
