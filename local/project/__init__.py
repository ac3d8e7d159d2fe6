"""The project's configuration: functions, routes, variables and settings."""
