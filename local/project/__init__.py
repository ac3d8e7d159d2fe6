"""What the checkout says: functions, routes, variables and settings."""
