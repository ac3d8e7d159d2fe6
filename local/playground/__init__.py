"""The playground: its page, its settings, and the last requests of this stack."""
