"""The lake: one Apache Iceberg table of the readings of all clients, for engines such as Spark."""
