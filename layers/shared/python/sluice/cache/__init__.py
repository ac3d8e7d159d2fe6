"""Answers that are kept for equal requests: where, and how to open it."""
