"""One upload's life: received, stored, processed, shown, deleted."""
