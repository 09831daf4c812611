// Figures as a person reads them: unit and number never part.

const NBSP = "\u00a0";
const STEPS = ["bytes", "kB", "MB", "GB", "TB"];

/** Say a size; `round` is Math.ceil where a limit was passed, so that 5.01 MB never reads as 5 MB. */
export function size(bytes, round = Math.round) {
  if (bytes < 1024) return `${bytes}${NBSP}${bytes === 1 ? "byte" : "bytes"}`;
  let step = 0;
  let figure = bytes;
  while (figure >= 1024 && step < STEPS.length - 1) { figure /= 1024; step += 1; }
  const digits = step === 1 || figure >= 100 ? 0 : step >= 3 ? 2 : 1;
  const rounded = round(figure * 10 ** digits) / 10 ** digits;
  return `${rounded.toFixed(rounded % 1 ? digits : 0)}${NBSP}${STEPS[step]}`;
}

export const percent = (part) => `${Math.floor(part * 100)}${NBSP}%`;

export const many = (count, word, words = `${word}s`) => `${count}${NBSP}${count === 1 ? word : words}`;

/** Say roughly how long; nothing while it is too early to know. */
export function about(seconds) {
  if (!Number.isFinite(seconds) || seconds <= 0) return "";
  if (seconds < 60) return `about ${Math.max(5, Math.ceil(seconds / 5) * 5)}${NBSP}s`;
  if (seconds < 5400) return `about ${Math.ceil(seconds / 60)}${NBSP}min`;
  return `about ${Math.round(seconds / 3600)}${NBSP}h`;
}
