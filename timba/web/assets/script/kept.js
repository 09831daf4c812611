// What a reload must not lose: which files this reader's batch holds. The states themselves are asked again.

import { newKey } from "./send.js";

const CUT_OFF = "The page was closed while it was being sent. Look under Files, or choose it again.";
const UNSENT = "Not sent: the page was closed first. Choose it again.";
const TAB = "timba.tab";
const WEEK = 6048e5; // what other tabs have not touched for so long is forgotten

const saved = ({ key, name, size, state, sentence, id, task, duplicate }) => ({ key, name, size, state, sentence, id, task, duplicate });

/** Keep the rows under `place` for this tab; a browser that keeps nothing only loses the list over a reload. */
export function keep(place, rows) {
  write(place, rows, thisTab);
}

/** Keep the rows for whichever tab comes next: this page is left. */
export function release(place, rows) {
  write(place, rows, () => "");
}

/** Return the rows as they stand after a reload: what had not been sent cannot go on, for its bytes are gone. */
export function recall(place) {
  let rows;
  try {
    rows = read(place).filter(({ tab }) => !tab || tab === thisTab());
  } catch {
    return [];
  }
  return rows.map((row) => {
    if (row.id) return { ...row, state: "checking", progress: 0, sentence: undefined };
    if (row.state === "refused") return row;
    return { ...row, state: "refused", sentence: row.state === "sending" ? CUT_OFF : UNSENT };
  });
}

const read = (place) => JSON.parse(localStorage.getItem(place) ?? "[]");

function write(place, rows, owner) {
  try {
    const at = Date.now();
    const tab = owner();
    const mine = new Set(rows.map(({ key }) => key));
    const others = read(place).filter((row) => row.tab !== thisTab() && row.at > at - WEEK && !mine.has(row.key));
    const all = [...others, ...rows.map((row) => ({ ...saved(row), tab, at }))];
    if (all.length) localStorage.setItem(place, JSON.stringify(all));
    else localStorage.removeItem(place);
  } catch {
    // Storage is full or switched off.
  }
}

function thisTab() {
  const tab = sessionStorage.getItem(TAB) ?? newKey();
  sessionStorage.setItem(TAB, tab);
  return tab;
}
