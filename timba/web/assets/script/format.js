// Formats sizes, shares, counts and durations. A no-break space joins number and unit.

const NBSP = "\u00a0";
const SIZE_UNITS = ["bytes", "kB", "MB", "GB", "TB"];

/** Format a size; with Math.ceil as `round`, a size above a limit of 5 MB never reads as 5 MB. */
export function formatSize(bytes, round = Math.round) {
  if (bytes < 1024) return `${bytes}${NBSP}${bytes === 1 ? "byte" : "bytes"}`;
  let unit = 0;
  let scaled = bytes;
  while (scaled >= 1024 && unit < SIZE_UNITS.length - 1) { scaled /= 1024; unit += 1; }
  const digits = unit === 1 || scaled >= 100 ? 0 : unit >= 3 ? 2 : 1;
  const rounded = round(scaled * 10 ** digits) / 10 ** digits;
  return `${rounded.toFixed(rounded % 1 ? digits : 0)}${NBSP}${SIZE_UNITS[unit]}`;
}

/** Format a number with a true minus. */
export const formatNumber = (number, decimals = 2) => number.toFixed(decimals).replace("-", "−");

export const formatCelsius = (degrees) => `${formatNumber(degrees)}${NBSP}°C`;

export const formatPercent = (part) => `${Math.floor(part * 100)}${NBSP}%`;

export const formatCount = (count, singular, plural = `${singular}s`) => `${count.toLocaleString("en")}${NBSP}${count === 1 ? singular : plural}`;

/** Format how many rows of a file have been read; empty when it is not known. */
export const formatRows = (rows) => (rows ? `${rows.toLocaleString("en")}${NBSP}${rows === 1 ? "row" : "rows"} read` : "");

/** Format a rough duration; empty when it is not known. */
export function formatDuration(seconds) {
  if (!Number.isFinite(seconds) || seconds <= 0) return "";
  if (seconds < 60) return `about ${Math.max(5, Math.ceil(seconds / 5) * 5)}${NBSP}s`;
  if (seconds < 5400) return `about ${Math.ceil(seconds / 60)}${NBSP}min`;
  return `about ${Math.round(seconds / 3600)}${NBSP}h`;
}
