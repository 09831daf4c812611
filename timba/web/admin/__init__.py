"""The pages of the platform's staff: every noun of every client, changed through its services."""
