"""The functions as child processes, as many as there are events at once."""
