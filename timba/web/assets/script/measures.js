// What a log's measures come to while they are typed: exact, though only the server's decimals are kept.

const TYPED = /^(\d{1,4})(?:[.,](\d{0,3}))?$/;
const THOUSAND = 1000;
const LITRE = 10n ** 10n; // of length × breadth × height, each in thousandths

/** Read a measure in thousandths; comma and point both work. Undefined for what is none. */
export function thousandths(typed) {
  const [, whole, decimals = ""] = TYPED.exec(typed.trim()) ?? [];
  if (whole === undefined) return undefined;
  return Number(whole) * THOUSAND + Number(decimals.padEnd(3, "0"));
}

/** The volume in litres, rounded half up; 0 until there is a log. */
export function litres(length, breadth, height) {
  const measures = [length, breadth, height].map(thousandths);
  if (measures.some((measure) => !measure)) return 0;
  const [l, b, h] = measures.map(BigInt);
  return Number((l * b * h + LITRE / 2n) / LITRE);
}

export const cubic = (ofLitres) => (ofLitres / THOUSAND).toLocaleString("en-GB", { minimumFractionDigits: 3, maximumFractionDigits: 3 });

/** Say a measure with the decimals it needs, and `least` of them at any rate. */
export function measure(figure, least) {
  const [whole, decimals] = Number(figure).toFixed(3).split(".");
  const needed = decimals.replace(/0+$/, "").padEnd(least, "0");
  return needed ? `${whole}.${needed}` : whole;
}
