"""The outbox: every committed change leaves as an event, in order, and none is lost."""
