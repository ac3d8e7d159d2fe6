"""The functions as child processes: one for each event that runs at the same time."""
