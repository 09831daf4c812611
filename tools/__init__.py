"""What developers and CI run besides Timba itself; the programs here stand on nothing of it."""
