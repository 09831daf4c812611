"""Statistics of the readings of cities, by period and by hour or day, never stale."""
