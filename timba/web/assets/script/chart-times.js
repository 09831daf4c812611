// Names hours in the reader's zone, and days, which are those of UTC.

import { formatMinute } from "./local-times.js";

const day = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const formatters = {
  hour: (options) => new Intl.DateTimeFormat("en-GB", options),
  day: (options) => new Intl.DateTimeFormat("en-GB", { ...options, timeZone: "UTC" }),
};
const LABELS = Object.fromEntries(Object.entries(formatters).map(([bucket, format]) => [bucket, {
  time: format({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
  date: format({ day: "numeric", month: "short" }),
  year: format({ day: "numeric", month: "short", year: "numeric" }),
}]));

/** Format the start of an hour or a day, in milliseconds since 1970, with its year. */
export const formatBucket = (start, bucket) => (bucket === "day" ? day.format(start) : formatMinute(start));

/** Format a label below the chart; `hasYear` is for those of a long period. */
export function formatLabel(start, bucket, hasYear) {
  const { time, date, year } = LABELS[bucket];
  const hour = time.format(start);
  return hour === "00:00" ? (hasYear ? year : date).format(start) : hour;
}
