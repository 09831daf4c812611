// Requests to the server with the session and its CSRF token, and the notice that the session is over.

/** Read the token from its cookie: signing in in another tab replaces it. */
export function csrfToken() {
  const meta = document.querySelector('meta[name="csrf-token"]');
  const prefix = `${meta?.dataset.cookie}=`;
  const cookie = document.cookie.split("; ").find((pair) => pair.startsWith(prefix));
  return cookie?.slice(prefix.length) ?? meta?.content ?? "";
}

/** Submit the forms of the page with the current token. */
export function setUpCsrfTokens() {
  document.addEventListener("formdata", ({ formData }) => {
    if (formData.has("csrfmiddlewaretoken")) formData.set("csrfmiddlewaretoken", csrfToken());
  }, true);
}

export const sleep = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

/** Show the notice that the session is over after a 401, and hide it after a success. */
export function updateSessionNotice(status) {
  const notice = document.getElementById("signed-out");
  const isSuccess = status >= 200 && status < 300;
  if (notice && (isSuccess || status === 401)) notice.hidden = isSuccess;
}

/** Parse JSON; return an empty object for other text. */
export function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

/**
 * Send a request with the session; resolve to {status, ok, headers, text, body}, where `body` is the parsed JSON.
 * A connection that fails, also in the middle of the response, resolves with status 0 and without headers.
 */
export async function sendRequest(url, options = {}) {
  const headers = { "X-CSRFToken": csrfToken(), Accept: "application/json", ...options.headers };
  try {
    const response = await fetch(url, { credentials: "same-origin", redirect: "error", ...options, headers });
    const { status, ok, headers: responseHeaders } = response;
    const text = await response.text();
    updateSessionNotice(status);
    return { status, ok, headers: responseHeaders, text, body: parseJson(text) };
  } catch {
    return { status: 0, ok: false, text: "", body: {} };
  }
}
