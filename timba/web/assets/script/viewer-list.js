// The files that the viewer goes through: those with a picture on the page, in its order, and on a
// consignment those that its page leaves out. The link of a log opens the photos of that log alone.

import { sendRequest } from "./http.js";

const LINK = "a[data-picture]";
const IN_LIST = `${LINK}:not([data-log])`;
const PAGE_ROWS = 1000; // the most that the API gives at once

export const findLink = (target) => target.closest(LINK);

/** Return the link to a file's picture on the page, if it has one; where the viewer was opened from a log, the log's. */
export const linkOf = (id, opener) => (opener.dataset.log ? opener : document.querySelector(`${IN_LIST}[data-picture="${CSS.escape(id)}"]`));

export const previewUrl = (item, size, page = 1) => `/api/files/${item.id}/preview/?size=${size}${page > 1 ? `&page=${page}` : ""}`;

/** Return the address of the page of `item` in the list that `link` belongs to. */
export function pageUrl(item, link) {
  const url = new URL(link.href);
  url.pathname = url.pathname.replace(link.dataset.picture, item.id);
  url.searchParams.delete("page");
  return url.pathname + url.search;
}

function toItem({ dataset }) {
  return { id: dataset.picture, name: dataset.name, kind: dataset.kind, pages: Number(dataset.pages) };
}

/** Return the files of the page that have a picture and belong to the list of `link`. */
export const listOnPage = (link) => (link.dataset.log ? [link] : [...document.querySelectorAll(IN_LIST)]).map(toItem);

/**
 * Resolve to all files with a picture of the consignment whose page has `link`, photos first, or to those of
 * its log; to null where the link is of no consignment, or a request failed.
 */
export async function loadList(link) {
  const consignment = link.closest("[data-pictures-of]")?.dataset.picturesOf;
  if (!consignment) return null;
  const { log } = link.dataset;
  const lists = await Promise.all((log ? ["photo"] : ["photo", "document"]).map((kind) => loadKind(consignment, kind)));
  return lists.includes(null) ? null : lists.flat().filter((item) => !log || item.log === Number(log));
}

async function loadKind(consignment, kind) {
  const items = [];
  let url = `/api/files/?${new URLSearchParams({ consignment_id: consignment, kind, status: "SUCCESS", limit: PAGE_ROWS })}`;
  while (url) {
    const { ok, body } = await sendRequest(url);
    if (!ok) return null;
    for (const { id, name, log_id: log, result } of body.results) items.push({ id, name, kind, log, pages: result?.pages ?? 1 });
    url = body.next;
  }
  return items;
}

/** Return "photo 3 of 17": the place of an item among those of its kind. */
export function describePlace(item, items) {
  const same = items.filter(({ kind }) => kind === item.kind);
  const place = same.findIndex(({ id }) => id === item.id) + 1;
  return `${item.kind} ${place} of ${same.length}`;
}
