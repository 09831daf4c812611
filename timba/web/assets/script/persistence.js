// Stores the batch of uploads over a reload: which files it has. Their states are requested again.

import { parseJson } from "./http.js";
import { describeArrived } from "./unfinished.js";
import { newIdempotencyKey } from "./upload-request.js";

const INTERRUPTED = "The page was closed while it was being sent. Choose it again: it is never stored twice.";
const UNSENT = "Not sent: the page was closed first. Choose it again.";
const TAB = "timba.tab";
const WEEK_MS = 6048e5; // after which a tab that never closed must have crashed

const toStored = ({ key, name, size, lastModified, fields, place, state, wasSending, sentence, canSendAgain, id, task, duplicate, uploadUrl, offset }) => (
  { key, name, size, lastModified, fields, place, state, wasSending, sentence, canSendAgain, id, task, duplicate, uploadUrl, offset }
);

/** Store the rows under `name` for this tab. Without storage, a reload loses the list but no file. */
export function saveRows(name, rows) {
  write(name, rows, false);
}

/** Store the rows for the next tab that opens the page, since this one leaves it. */
export function releaseRows(name, rows) {
  write(name, rows, true);
}

/** Return the stored rows; files that were not wholly sent wait to be chosen again, because a reload loses their bytes. */
export function restoreRows(name) {
  let rows;
  try {
    rows = claimRows(name);
  } catch {
    return [];
  }
  return rows.map((row) => {
    if (row.id) return { ...row, state: "checking", progress: 0, sentence: undefined };
    if (row.state === "refused" && !row.canSendAgain) return row;
    const wasSending = row.wasSending || row.state === "sending" || row.canSendAgain;
    const waiting = { ...row, state: "waiting", wasSending, canSendAgain: false, progress: 0 };
    return { ...waiting, sentence: row.uploadUrl ? describeArrived(waiting) : wasSending ? INTERRUPTED : UNSENT };
  });
}

function write(name, rows, isLeft) {
  try {
    const own = keyOfTab(name);
    if (rows.length) localStorage.setItem(own, JSON.stringify({ isLeft, at: Date.now(), rows: rows.map(toStored) }));
    else localStorage.removeItem(own);
  } catch {
    // The storage is full or disabled.
  }
}

// Each tab has its own entry: the rows of a tab that is still open are not claimed.
function claimRows(name) {
  const own = keyOfTab(name);
  const keys = Object.keys(localStorage).filter((key) => key.startsWith(`${name}|`));
  return keys.flatMap((key) => {
    // Another tab may have claimed it just now.
    const { isLeft, at, rows = [] } = parseJson(localStorage.getItem(key)) ?? {};
    if (key !== own && !isLeft && at > Date.now() - WEEK_MS) return [];
    localStorage.removeItem(key);
    return rows;
  });
}

function keyOfTab(name) {
  const tab = sessionStorage.getItem(TAB) ?? newIdempotencyKey();
  sessionStorage.setItem(TAB, tab);
  return `${name}|${tab}`;
}
