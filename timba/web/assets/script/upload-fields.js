// What the form of an upload page says of a file that is added to it.

import { newIdempotencyKey } from "./upload-request.js";
import { extensionOf } from "./validation.js";

/** Return the fields to send with a file. A choice that is made later does not apply to it. */
export function readFields(form, file) {
  const fields = [...new FormData(form).entries()].filter(([name, value]) => typeof value === "string" && name !== "csrfmiddlewaretoken");
  // The bytes of all other files tell what they are.
  const { csv_kind: kind, ...others } = Object.fromEntries(fields);
  return kind && extensionOf(file.name) === "csv" ? { ...others, kind } : others;
}

/** Return the row of a file that has just been added. */
export function createRow(form, file) {
  const { name, size, lastModified } = file;
  const consignment = form.elements.consignment_id?.selectedOptions?.[0];
  const place = consignment?.value && consignment.textContent.trim();
  return { file, name, size, lastModified, place, key: newIdempotencyKey(), fields: readFields(form, file), state: "queued", isHeld: true, progress: 0 };
}
