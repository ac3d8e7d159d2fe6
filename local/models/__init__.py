"""Real models on this machine: what there is, how it is installed and run."""
