// What a reload must not lose: which files this reader's batch holds. The states themselves are asked again.

const CUT_OFF = "The page was closed while it was being sent. Look under Files, or choose it again.";
const UNSENT = "Not sent: the page was closed first. Choose it again.";

const saved = ({ key, name, size, state, sentence, id, task, duplicate }) => ({ key, name, size, state, sentence, id, task, duplicate });

/** Keep the rows under `place`; a browser that keeps nothing only loses the list over a reload. */
export function keep(place, rows) {
  try {
    if (rows.length) localStorage.setItem(place, JSON.stringify(rows.map(saved)));
    else localStorage.removeItem(place);
  } catch {
    // Storage is full or switched off.
  }
}

/** Return the rows as they stand after a reload: what had not been sent cannot go on, for its bytes are gone. */
export function recall(place) {
  let rows;
  try {
    rows = JSON.parse(localStorage.getItem(place) ?? "[]");
  } catch {
    return [];
  }
  return rows.map((row) => {
    if (row.id) return { ...row, state: "checking", progress: 0, sentence: undefined };
    if (row.state === "refused") return row;
    return { ...row, state: "refused", sentence: row.state === "sending" ? CUT_OFF : UNSENT };
  });
}
