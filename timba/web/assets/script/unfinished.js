// Files that were not wholly sent when the page was closed. The browser no longer has their bytes, so that the person
// chooses them again: an upload in parts then goes on where it was, and another is repeated under its key.

import { formatSize } from "./format.js";
import { askOffset } from "./parts-request.js";
import { beginAnew } from "./upload-request.js";

const EXPIRED = "What was here of it has been deleted meanwhile. Choose it again: it is sent from its start.";
const LISTED = 3;

export const isMissing = ({ state, file }) => state === "waiting" && !file;

const isSameFile = (row, { name, size, lastModified }) => row.name === name && row.size === size && row.lastModified === lastModified;

/** Tell how much of a file has arrived, and what to do. */
export function describeArrived({ offset = 0, size, place }) {
  return `${formatSize(offset, Math.floor)} of ${formatSize(size)} are here${place ? `, for ${place}` : ""}. Choose it again to go on.`;
}

/** Return the row that waits for this file, unless another consignment is chosen for it now. */
export function findMissing(rows, file, { consignment_id: consignment }) {
  return rows.find((row) => isMissing(row) && isSameFile(row, file) && (!consignment || consignment === row.fields.consignment_id));
}

/** Return the files without those that have a row of their own: who chooses a folder again sends nothing twice. */
export function withoutListed(files, rows) {
  return files.filter((file) => !rows.some((row) => isSameFile(row, file)));
}

/** Ask what has arrived of an upload in parts and update its row; resolve to the outcome if all of it had. */
export async function updateArrived(row, target) {
  const { status, offset, outcome } = await askOffset(row, target);
  if (!isMissing(row) || outcome) return outcome;
  if (status === 404) {
    beginAnew(row);
    row.sentence = EXPIRED;
  } else if (status === 200) Object.assign(row, { offset, progress: offset / row.size, sentence: describeArrived({ ...row, offset }) });
  return undefined;
}

/** Name the files that are to be chosen again, the first few of them. */
export function listMissing(rows) {
  const names = rows.filter(isMissing).map(({ name }) => name);
  const more = names.length - LISTED;
  if (!names.length) return "";
  if (names.length === 1) return names[0];
  return more > 0 ? `${names.slice(0, LISTED).join(", ")} and ${more} more` : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
