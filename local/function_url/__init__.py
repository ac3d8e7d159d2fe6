"""The Function URL, as Lambda serves it."""
