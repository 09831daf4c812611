"""Where the table is: its catalog, its warehouse, and the addresses of the objects in it.

The catalog is a database that says which metadata is the current one. The metadata is in the
warehouse. The data files are Timba's own objects, which stay where they are: nothing that Iceberg
does may delete one.
"""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import (
    DecimalType,
    IntegerType,
    LongType,
    NestedField,
    StringType,
    TimestamptzType,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from timba.files.s3 import S3Storage
from timba.files.storage import LocalStorage, store
from timba.temperatures.lake import FOLDER

CATALOG: Final = "timba"
TABLE: Final = ("timba", "readings")
CLIENT_ID, FILE_ID = 4, 5  # the numbers of fields
SCHEMA: Final = Schema(
    NestedField(1, "city_id", IntegerType(), required=True),
    NestedField(2, "read_at", TimestamptzType(), required=True),
    NestedField(3, "temperature", DecimalType(5, 2), required=True),
    NestedField(CLIENT_ID, "client_id", LongType(), required=True),
    NestedField(FILE_ID, "file_id", StringType(), required=True),
)
_PARTITIONS: Final = PartitionSpec(
    PartitionField(CLIENT_ID, 1000, IdentityTransform(), "client_id")
)
_PROPERTIES: Final = {
    # No engine may erase Timba's objects as orphans, or with an expired snapshot.
    "gc.enabled": "false",
    # The objects have no ids of fields: their columns are found by name.
    "schema.name-mapping.default": SCHEMA.name_mapping.model_dump_json(),
    # By default, limits of strings are cut to 16 characters. Whole ones tell the file of an object.
    "write.metadata.metrics.column.file_id": "full",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "100",
    # What was decided before somebody else's commit must be decided anew.
    "commit.retry.num-retries": "0",
}
_SCHEMES: Final = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}
# Options of Django's connections that libpq does not know.
_DJANGO_OPTIONS: Final = ("isolation_level", "pool", "server_side_binding", "assume_role")
_NO_CATALOG: Final = (
    "TIMBA_LAKE_CATALOG is not set, and the database of this installation cannot be the catalog. "
    "Give the address of a PostgreSQL database, postgresql://USER:PASSWORD@HOST:PORT/NAME, or of a "
    "file, sqlite:////FOLDER/lake.sqlite3."
)
_WRONG_CATALOG: Final = (
    "TIMBA_LAKE_CATALOG is no address of a catalog. Give postgresql://USER:PASSWORD@HOST:PORT/NAME "
    "or sqlite:////FOLDER/lake.sqlite3."
)
# PyIceberg takes the first two for the end of an address, and engines differ about the third.
_SPECIAL: Final = "?#%"
_WRONG_FOLDER: Final = (
    "The lake cannot be in {address}, nor can objects that are there be in it: addresses of files "
    f"with one of {' '.join(_SPECIAL)} mean different files to different engines. Move the folder."
)


def check_settings() -> None:
    """Raise ImproperlyConfigured for settings with which there can be no lake."""
    catalog_url()
    for address in (warehouse(), object_address("")):
        if any(character in address for character in _SPECIAL):
            raise ImproperlyConfigured(_WRONG_FOLDER.format(address=address))


def open_table() -> Table:
    """Return the table, created if it is absent.

    Raises ImproperlyConfigured for settings that name no catalog.
    """
    catalog = SqlCatalog(
        CATALOG,
        uri=catalog_url().render_as_string(hide_password=False),
        warehouse=warehouse(),
        pool_pre_ping="true",
        **_io_properties(),
    )
    try:
        return catalog.load_table(TABLE)
    except NoSuchTableError:
        catalog.create_namespace_if_not_exists(TABLE[0])
        return catalog.create_table_if_not_exists(
            TABLE,
            schema=SCHEMA,
            location=f"{warehouse()}/readings",
            partition_spec=_PARTITIONS,
            properties=_PROPERTIES,
        )


def catalog_url() -> URL:
    """Return the catalog's address; raise ImproperlyConfigured where the settings have none."""
    if not settings.TIMBA_LAKE_CATALOG:
        return _default_catalog()
    try:
        url = make_url(settings.TIMBA_LAKE_CATALOG)
    except ArgumentError:
        raise ImproperlyConfigured(_WRONG_CATALOG) from None  # its message may have the password
    if url.drivername not in _SCHEMES:
        raise ImproperlyConfigured(_WRONG_CATALOG)
    return url.set(drivername=_SCHEMES[url.drivername])


def _default_catalog() -> URL:
    """Return Timba's own PostgreSQL, or a file beside its SQLite database."""
    if connection.vendor == "sqlite":
        return URL.create("sqlite", database=str(settings.TIMBA_DATA_DIR / "lake.sqlite3"))
    if connection.vendor != "postgresql":
        raise ImproperlyConfigured(_NO_CATALOG)
    database: dict[str, Any] = connection.settings_dict
    options = {
        name: str(value)
        for name, value in database["OPTIONS"].items()
        if name not in _DJANGO_OPTIONS
    }
    if database["HOST"]:
        options["host"] = database["HOST"]  # as a parameter, it may be the folder of a socket
    if database["PORT"]:
        options["port"] = str(database["PORT"])
    return URL.create(
        _SCHEMES["postgresql"],
        username=database["USER"] or None,
        password=database["PASSWORD"] or None,
        database=database["NAME"],
        query=options,
    )


def warehouse() -> str:
    """Return the address of the folder of metadata, without a slash at its end."""
    configured: str = settings.TIMBA_LAKE_WAREHOUSE
    if "://" in configured:
        return configured.rstrip("/")
    if configured:
        return f"file://{configured.rstrip('/')}"
    objects = store()
    if isinstance(objects, S3Storage):
        return f"s3://{objects.bucket}/{FOLDER}"
    return f"file://{settings.TIMBA_DATA_DIR}/{FOLDER}"


def object_address(key: str) -> str:
    """Return the address of an object, under which it is a data file of the table."""
    objects = store()
    if isinstance(objects, S3Storage):
        return f"s3://{objects.bucket}/{key}"
    assert isinstance(objects, LocalStorage)  # noqa: S101 - there is no third one
    return f"file://{objects.location}/{key}"


def _io_properties() -> dict[str, str]:
    """Return how PyIceberg reads and writes files: by pyarrow, with the keys of the store."""
    properties = {"py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO"}
    objects = store()
    if isinstance(objects, S3Storage):
        properties |= objects.iceberg_properties()
    return properties
