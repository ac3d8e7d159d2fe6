"""AWS's APIs as a client: signatures, SSM, DynamoDB."""
