// What a reload must not lose: which files this reader's batch holds. The states themselves are asked again.

import { newKey } from "./send.js";

const CUT_OFF = "The page was closed while it was being sent. Look under Files, or choose it again.";
const UNSENT = "Not sent: the page was closed first. Choose it again.";
const TAB = "timba.tab";
const WEEK = 6048e5; // nothing is heard any more of a tab that crashed

const saved = ({ key, name, size, state, sentence, id, task, duplicate }) => ({ key, name, size, state, sentence, id, task, duplicate });

/** Keep the rows under `place` for this tab; a browser that keeps nothing only loses the list over a reload. */
export function keep(place, rows) {
  write(place, rows, false);
}

/** Keep the rows for whichever tab comes next: this page is left. */
export function release(place, rows) {
  write(place, rows, true);
}

/** Return the rows as they stand after a reload: what had not been sent cannot go on, for its bytes are gone. */
export function recall(place) {
  let rows;
  try {
    rows = takeUp(place);
  } catch {
    return [];
  }
  return rows.map((row) => {
    if (row.id) return { ...row, state: "checking", progress: 0, sentence: undefined };
    if (row.state === "refused") return row;
    return { ...row, state: "refused", sentence: row.state === "sending" ? CUT_OFF : UNSENT };
  });
}

function write(place, rows, isLeft) {
  try {
    const own = ownName(place);
    if (rows.length) localStorage.setItem(own, JSON.stringify({ isLeft, at: Date.now(), rows: rows.map(saved) }));
    else localStorage.removeItem(own);
  } catch {
    // Storage is full or switched off.
  }
}

// Each tab has an entry of its own: what another is still sending is none of this one's business.
function takeUp(place) {
  const own = ownName(place);
  const names = Object.keys(localStorage).filter((name) => name.startsWith(`${place}|`));
  return names.flatMap((name) => {
    const { isLeft, at, rows } = JSON.parse(localStorage.getItem(name));
    if (name !== own && !isLeft && at > Date.now() - WEEK) return [];
    localStorage.removeItem(name);
    return rows;
  });
}

function ownName(place) {
  const tab = sessionStorage.getItem(TAB) ?? newKey();
  sessionStorage.setItem(TAB, tab);
  return `${place}|${tab}`;
}
