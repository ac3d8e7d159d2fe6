"""What Sluice's functions share. Each package in it is a room of its own: see ARCHITECTURE.md.

Importing `sluice` itself costs nothing: functions import the modules that they need.
"""

VERSION = "0.1.0"
