"""The transactional outbox: every committed change is published as an event, in order."""
