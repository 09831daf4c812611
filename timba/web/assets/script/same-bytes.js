// Finds files that are stored already among those that are to be sent, by their SHA-256. It runs ahead of the sending.

import { sendRequest } from "./http.js";
import { isSentInParts } from "./parts-request.js";

// The first are asked about at once, so that sending begins; an address has room for so many digests.
const FIRST_GROUP = 4;
const GROUP = 48;
const MAX_WAIT_MS = 3000;

const consignmentNames = new Map();

/**
 * Release each of the rows, which are held back, once it is known whether its bytes are stored already, and call
 * `onKnown(row, twin)`, where `twin` is {id, name, kind, place} or undefined. No row is held back for long; large files,
 * those that were being sent before, and all where the browser has no digests are released at once.
 */
export function compareWithStored(rows, { client, maxFiles }, onKnown) {
  const canCompare = globalThis.crypto?.subtle && Number(maxFiles) > 1;
  const compared = rows.filter((row) => canCompare && !isSentInParts(row) && !row.wasSending);
  for (const row of rows) row.isHeld = compared.includes(row);
  if (!compared.length) return;
  const release = (row, twin) => {
    row.isHeld = false;
    onKnown(row, twin);
  };
  setTimeout(() => {
    for (const row of compared) if (row.isHeld) release(row);
  }, MAX_WAIT_MS);
  compareInGroups(compared, client, release);
}

async function compareInGroups(rows, client, release) {
  let from = 0;
  while (from < rows.length) {
    const group = rows.slice(from, from + (from ? GROUP : FIRST_GROUP));
    from += group.length;
    const stored = await findStored(group, client);
    for (const row of group) if (row.isHeld || stored.has(row.sha256)) release(row, stored.get(row.sha256));
  }
}

async function findStored(rows, client) {
  const digests = [];
  for (const row of rows) {
    row.sha256 = await digestOf(row.file);
    if (row.sha256) digests.push(row.sha256);
  }
  const query = new URLSearchParams([...digests.map((digest) => ["sha256", digest]), ["limit", 1000], ...(client ? [["client_id", client]] : [])]);
  const { body } = digests.length ? await sendRequest(`/api/files/?${query}`) : { body: {} };
  const stored = new Map();
  // Temperature files are recognised when they have arrived, and count once.
  for (const file of body.results ?? []) if (file.kind !== "temperatures") stored.set(file.sha256, file);
  for (const [digest, file] of stored) stored.set(digest, { ...file, place: await nameOfConsignment(file.consignment_id) });
  return stored;
}

async function digestOf(file) {
  try {
    const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  } catch {
    return undefined; // removed meanwhile, or no longer to be read: sending it will tell
  }
}

async function nameOfConsignment(id) {
  if (!id) return "";
  if (!consignmentNames.has(id)) consignmentNames.set(id, (await sendRequest(`/api/consignments/${id}/`)).body.name ?? "");
  return consignmentNames.get(id);
}
