"""Notes, alone or linked to a consignment."""
