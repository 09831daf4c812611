"""Notes that people keep beside their consignments."""
