"""The lake: one Apache Iceberg table of the readings of all clients, for engines such as Spark."""

from typing import Final

# In the data folder or the bucket of the objects: no key of an object begins like that.
FOLDER: Final = "lake"
# In Timba's own PostgreSQL.
CATALOG_TABLES: Final = ("iceberg_tables", "iceberg_namespace_properties")
