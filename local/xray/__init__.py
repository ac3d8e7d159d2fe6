"""The X-Ray daemon: takes what functions send of their traces, and prints it."""
