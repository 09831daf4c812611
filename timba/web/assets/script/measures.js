// Computes the volume of a log exactly from the measures being typed, and formats both.

const MEASURE = /^(\d{1,4})(?:[.,](\d{0,3}))?$/;
const THOUSAND = 1000;
const LITRE = 10n ** 10n; // as length × breadth × height, each in thousandths of its unit

/** Parse a measure, with a comma or a point, into thousandths of its unit; undefined if it is not one. */
function parseThousandths(text) {
  const [, whole, decimals = ""] = MEASURE.exec(text.trim()) ?? [];
  if (whole === undefined) return undefined;
  return Number(whole) * THOUSAND + Number(decimals.padEnd(3, "0"));
}

/** Parse a measure into a number; undefined if it is not one. */
export function parseMeasure(text) {
  const thousandths = parseThousandths(text);
  return thousandths === undefined ? undefined : thousandths / THOUSAND;
}

/** Return the volume in litres, rounded half up; 0 while a measure is missing or zero. */
export function computeLitres(length, breadth, height) {
  const measures = [length, breadth, height].map(parseThousandths);
  if (measures.some((measure) => !measure)) return 0;
  const [l, b, h] = measures.map(BigInt);
  return Number((l * b * h + LITRE / 2n) / LITRE);
}

/** Format litres as cubic metres. */
export const formatVolume = (litres) => (litres / THOUSAND).toLocaleString("en-GB", { minimumFractionDigits: 3, maximumFractionDigits: 3 });

/** Format a measure with as many decimals as it needs, at least `minDecimals`. */
export function formatMeasure(value, minDecimals) {
  const [whole, decimals] = Number(value).toFixed(3).split(".");
  const needed = decimals.replace(/0+$/, "").padEnd(minDecimals, "0");
  return needed ? `${whole}.${needed}` : whole;
}
