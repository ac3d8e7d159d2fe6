"""The Function URL: requests in, streamed replies out."""
