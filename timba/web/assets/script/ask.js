// How the page asks the server: with the session, the CSRF token, and a word when the session is over.

export const csrfToken = () => document.querySelector('meta[name="csrf-token"]')?.content ?? "";

export const pause = (milliseconds) => new Promise((done) => { setTimeout(done, milliseconds); });

/** Show that the session is over; everything on the page waits for the next sign-in. */
export function tellSignedOut() {
  const notice = document.getElementById("signed-out");
  if (notice) notice.hidden = false;
}

/** Fetch as the signed-in reader; a failed connection is an answer like any other, with status 0. */
export async function ask(url, options = {}) {
  const headers = { "X-CSRFToken": csrfToken(), Accept: "application/json", ...options.headers };
  let response;
  try {
    response = await fetch(url, { credentials: "same-origin", redirect: "error", ...options, headers });
  } catch {
    return { status: 0, ok: false, json: async () => ({}), text: async () => "" };
  }
  if (response.status === 401) tellSignedOut();
  return response;
}
