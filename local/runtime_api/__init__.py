"""Lambda's Runtime API, which the functions' processes call."""
