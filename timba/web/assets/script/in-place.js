// Submits forms in place: the parts of the page that the answer shows anew take the place of those that are shown.

import { sendRequest } from "./http.js";
import { currentUrl, recordLocalChange, showLiveParts } from "./live-updates.js";
import { showNotice } from "./notices.js";
import { clearSelection } from "./selection.js";

const BROKEN = "The connection broke. Reload the page to see what was done.";

/** Submit forms with `data-in-place` without leaving the page, unless the button has an address of its own. */
export function setUpFormsInPlace() {
  document.addEventListener("submit", (event) => {
    const { target: form, submitter } = event;
    if (!form.matches("[data-in-place]") || submitter?.hasAttribute("formaction")) return;
    event.preventDefault();
    if (form.ariaBusy !== "true") submit(form, submitter);
  });
}

async function submit(form, submitter) {
  const fields = new FormData(form, submitter);
  const url = currentUrl();
  fields.set("next", url.pathname + url.search);
  form.ariaBusy = "true";
  // Not `form.action`, which is the button of this name.
  const { status, ok, text, body } = await sendRequest(form.getAttribute("action"), {
    method: "POST", redirect: "follow", body: new URLSearchParams(fields),
  });
  form.ariaBusy = "false";
  if (ok) {
    if (form.id === "selection") clearSelection();
    // A refresh on its way may be older than what was done.
    recordLocalChange();
    await showLiveParts(text, "#notice:innerHTML");
  } else if (status !== 401) showNotice(body.detail ?? BROKEN);
}
