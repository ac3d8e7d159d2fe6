"""The local stack: the service on one machine, without an AWS account."""
