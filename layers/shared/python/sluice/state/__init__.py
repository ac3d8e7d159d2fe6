"""What is remembered between invocations, in SQLite or DynamoDB."""
