"""What keeps a Timba running: its server, its processes and their supervisor."""
