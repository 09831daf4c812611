#!/usr/bin/env python3
"""Computes the temperature statistics of each client and city from the Iceberg table, by Spark.

The table is the one that `timba lake` keeps; docs/spark.md shows how to name its catalog. CSV is
written in the order of clients and cities: what Timba itself answers, to the digit. Nothing is
rounded but the mean, and no temperature ever becomes a floating-point number.
"""

from __future__ import annotations

import argparse
import re
import sys
from typing import Final

from pyspark.sql import Column, DataFrame, SparkSession, functions
from pyspark.sql.functions import col

from timba.temperatures.statistics.bounds import parse_timestamp

# Iceberg knows a table by the name of its catalog too, which is `timba` for `timba lake`.
CATALOG: Final = "timba"
TABLE: Final = f"{CATALOG}.timba.readings"
_EVENT: Final = re.compile(r"(\d+)\.(\d+)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("output", help="folder for the CSV, which must not exist")
    parser.add_argument("--catalog", help="jdbc:… address of the catalog's database")
    parser.add_argument("--warehouse", help="folder of the table's metadata")
    parser.add_argument("--from", dest="start", help="ISO 8601 time of the first readings")
    parser.add_argument("--to", dest="stop", help="ISO 8601 time before which the last ones are")
    parser.add_argument("--client", type=int, help="id of the only client")
    parser.add_argument(
        "--event",
        help="EPOCH.SEQUENCE of one of the client's events: readings are those that counted then",
    )
    arguments = parser.parse_args()
    if arguments.event and (arguments.client is None or not _EVENT.fullmatch(arguments.event)):
        parser.error("--event is EPOCH.SEQUENCE, such as 1.41, and needs --client")
    spark = open_session(arguments.catalog, arguments.warehouse)
    try:
        readings = read_table(spark, arguments.client, arguments.event)
        rows = statistics(within(readings, arguments.start, arguments.stop))
        rows.orderBy("client_id", "city_id").write.csv(arguments.output, header=True)
    finally:
        spark.stop()


def open_session(catalog: str | None, warehouse: str | None) -> SparkSession:
    """Return a session with the catalog; what is not given here is in Spark's own settings."""
    name = f"spark.sql.catalog.{CATALOG}"
    builder = SparkSession.builder.appName("city_statistics")
    builder = builder.config(name, "org.apache.iceberg.spark.SparkCatalog")
    builder = builder.config(f"{name}.type", "jdbc")
    # The catalog is PyIceberg's, and is only read.
    builder = builder.config(f"{name}.init-catalog-tables", "false")
    for key, value in (("uri", catalog), ("warehouse", warehouse)):
        if value:
            builder = builder.config(f"{name}.{key}", value)
    spark: SparkSession = builder.getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    return spark


def read_table(spark: SparkSession, client_id: int | None, event: str | None) -> DataFrame:
    """Return the readings of a client, or of all, now or as they counted at an event."""
    table = spark.read
    if client_id is not None and event is not None:
        table = table.option("versionAsOf", find_snapshot(spark, client_id, event))
    readings = table.table(TABLE)
    return readings if client_id is None else readings.where(col("client_id") == client_id)


def find_snapshot(spark: SparkSession, client_id: int, event: str) -> int:
    """Return the id of the last snapshot of a client up to an event, EPOCH.SEQUENCE.

    A snapshot names the event up to which it is complete; one that is not complete names none.
    Where no event between the two changed what counts, it is what counted at that event.
    """
    epoch, sequence = (
        col("summary")[f"timba.{name}"].cast("bigint") for name in ("epoch", "sequence")
    )
    number = functions.struct(epoch, sequence)
    limit = functions.struct(*(functions.lit(int(part)) for part in event.split(".")))
    snapshots = (
        spark.table(f"{TABLE}.snapshots")
        .where((col("summary")["timba.client-id"] == str(client_id)) & sequence.isNotNull())
        .where(number <= limit)
        .orderBy(number.desc(), col("committed_at").desc())
        .select("snapshot_id", epoch, sequence)
        .take(1)
    )
    if not snapshots:
        sys.exit(f"The table has no snapshot of client {client_id} up to event {event}.")
    [(snapshot_id, *found)] = snapshots
    print(f"Snapshot {snapshot_id}, of event {found[0]}.{found[1]}")
    return int(snapshot_id)


def within(readings: DataFrame, start: str | None, stop: str | None) -> DataFrame:
    """Return the readings from `start` on and before `stop`, as Timba understands these texts."""
    for text, compare in ((start, Column.__ge__), (stop, Column.__lt__)):
        if text is not None:
            bound = functions.timestamp_micros(functions.lit(parse_timestamp(text)))
            readings = readings.where(compare(col("read_at"), bound))
    return readings


def statistics(readings: DataFrame) -> DataFrame:
    """Return the statistics of each client and city, with times as ISO 8601 in UTC."""
    # A decimal(5,2) times a hundred is a whole number of hundredths.
    hundredths = (col("temperature") * 100).cast("bigint")
    totals = readings.groupBy("client_id", "city_id").agg(
        functions.count("*").alias("count"),
        functions.min("temperature").alias("min_temp"),
        functions.max("temperature").alias("max_temp"),
        functions.sum(hundredths).alias("sum"),
        functions.min("read_at").alias("first_at"),
        functions.max("read_at").alias("last_at"),
    )
    return totals.select(
        *("client_id", "city_id", "count", "min_temp", "max_temp"),
        mean(col("sum"), col("count")).alias("mean_temp"),
        *(iso_8601(col(name)).alias(name) for name in ("first_at", "last_at")),
    )


def mean(total: Column, count: Column) -> Column:
    """Return the mean of hundredths as degrees, rounded half away from zero to two decimals."""
    magnitude = functions.call_function("div", 2 * functions.abs(total) + count, 2 * count)
    hundredths = functions.when(total < 0, -magnitude).otherwise(magnitude)
    one_hundredth = functions.lit("0.01").cast("decimal(3,2)")
    return (hundredths.cast("decimal(18,0)") * one_hundredth).cast("decimal(5,2)")


def iso_8601(moment: Column) -> Column:
    """Return a time as Timba writes it: with microseconds only where they are not zero."""
    text = functions.date_format(moment, "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'")
    return functions.regexp_replace(text, r"\.000000Z$", "Z")


if __name__ == "__main__":
    main()
