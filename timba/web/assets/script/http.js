// How the page asks the server: with the session, the CSRF token, and a word when the session is over.

/** Read the token from its cookie: signing in in another tab makes a new one. */
export function csrfToken() {
  const said = document.querySelector('meta[name="csrf-token"]');
  const start = `${said?.dataset.cookie}=`;
  const kept = document.cookie.split("; ").find((cookie) => cookie.startsWith(start));
  return kept?.slice(start.length) ?? said?.content ?? "";
}

/** Let the page's own forms be sent with the token of now. */
export function renewTokens() {
  document.addEventListener("formdata", ({ formData }) => {
    if (formData.has("csrfmiddlewaretoken")) formData.set("csrfmiddlewaretoken", csrfToken());
  }, true);
}

export const pause = (milliseconds) => new Promise((done) => { setTimeout(done, milliseconds); });

/** Say when an answer shows that the session is over, and no longer once another shows that it goes on. */
export function tellSession(status) {
  const notice = document.getElementById("signed-out");
  const isGood = status >= 200 && status < 300;
  if (notice && (isGood || status === 401)) notice.hidden = isGood;
}

/** Read JSON; whatever is none says nothing. */
export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

/**
 * Fetch as the signed-in reader: resolves to {status, ok, text, body}, `body` being what JSON says.
 * A failed connection is an answer like any other, with status 0, also where it breaks off in the middle.
 */
export async function ask(url, options = {}) {
  const headers = { "X-CSRFToken": csrfToken(), Accept: "application/json", ...options.headers };
  try {
    const response = await fetch(url, { credentials: "same-origin", redirect: "error", ...options, headers });
    const { status, ok } = response;
    const text = await response.text();
    tellSession(status);
    return { status, ok, text, body: parsed(text) };
  } catch {
    return { status: 0, ok: false, text: "", body: {} };
  }
}
