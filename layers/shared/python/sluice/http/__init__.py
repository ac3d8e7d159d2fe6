"""HTTP/1.1 as a client: framing, connections, TLS, and the addresses they go to."""
