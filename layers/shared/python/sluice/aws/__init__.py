"""AWS from inside a function: signatures and parameters."""
