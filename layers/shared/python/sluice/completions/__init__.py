"""What a client asks of a model, and the answer as events, text or a value."""
