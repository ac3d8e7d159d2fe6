"""What Sluice's functions share: settings, requests, the upstream client, parsers, delivery.

Importing the package costs nothing: every module is imported by the function that needs it.
"""

VERSION = "0.1.0"
