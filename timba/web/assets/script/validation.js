// Rejects files before a byte is sent. The server checks the same rules again.

import { formatSize } from "./format.js";

const MAX_NAME_LENGTH = 255;
const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f-\u009f]/;
// Lines of mail programs and scanners may stand before a PDF.
const PDF_HEADER_BYTES = 1024;
const SIGNATURES = {
  jpg: [0xff, 0xd8, 0xff],
  jpeg: [0xff, 0xd8, 0xff],
  jfif: [0xff, 0xd8, 0xff],
  png: [0x89, 0x50, 0x4e, 0x47],
  webp: [0x52, 0x49, 0x46, 0x46],
  pdf: [0x25, 0x50, 0x44, 0x46],
  gz: [0x1f, 0x8b],
  xlsx: [0x50, 0x4b, 0x03, 0x04],
};

export const extensionOf = (name) => (name.includes(".") ? name.split(".").at(-1).toLowerCase() : "");

const split = (list) => list.split(" ").filter(Boolean);

/** Read the limits of an upload form from its data attributes. */
export function readLimits(form) {
  const { extensions, smallExtensions, smallMaxBytes, maxBytes, maxFiles } = form.dataset;
  return {
    extensions: split(extensions),
    smallExtensions: split(smallExtensions),
    smallMaxBytes: Number(smallMaxBytes),
    maxBytes: Number(maxBytes),
    maxFiles: Number(maxFiles),
  };
}

/** Return a sentence on why the file cannot be sent, or an empty string. */
export async function validate(file, limits) {
  const extension = extensionOf(file.name);
  if ([...file.name].length > MAX_NAME_LENGTH) return `Not sent: its name is longer than ${MAX_NAME_LENGTH} characters. Shorten it.`;
  if (CONTROL_CHARACTERS.test(file.name)) return "Not sent: its name holds control characters. Rename it.";
  const allowed = !limits.extensions.length || limits.extensions.includes(extension);
  if (!allowed && (extension === "heic" || extension === "heif")) return "Not sent: HEIC cannot be read. On an iPhone choose Settings > Camera > Formats > Most Compatible, or send it as JPEG.";
  if (!allowed) return `Not sent: ${extension ? extension.toUpperCase() : "a file without an extension"} cannot be read here. Send ${joinExtensions(limits.extensions)}.`;
  const maxBytes = limits.smallExtensions.includes(extension) ? limits.smallMaxBytes : limits.maxBytes;
  if (file.size > maxBytes) return `Not sent: it has ${formatSize(file.size, Math.ceil)}, ${limits.smallExtensions.includes(extension) ? `a ${extension.toUpperCase()}` : "a file"} may have ${formatSize(maxBytes)}. Make it smaller.`;
  return validateContent(file, extension);
}

async function validateContent(file, extension) {
  let head;
  try {
    head = new Uint8Array(await file.slice(0, PDF_HEADER_BYTES).arrayBuffer());
  } catch {
    return "Not sent: it is a folder or cannot be opened. Drop the files themselves.";
  }
  if (!head.length) return "Not sent: it is empty. Choose it again once something is in it.";
  const signature = SIGNATURES[extension];
  if (signature && !startsWith(head, signature, extension === "pdf" ? PDF_HEADER_BYTES : 1)) {
    return `Not sent: it is called ${extension.toUpperCase()} but is none inside. Save it as ${extension.toUpperCase()} again.`;
  }
  return "";
}

/** Return whether the signature stands at one of the first so many positions. */
function startsWith(head, signature, positions) {
  for (let start = 0; start < Math.min(positions, head.length); start += 1) {
    if (signature.every((byte, index) => head[start + index] === byte)) return true;
  }
  return false;
}

function joinExtensions(extensions) {
  const capitals = extensions.map((extension) => extension.toUpperCase());
  return `${capitals.slice(0, -1).join(", ")} or ${capitals.at(-1)}`;
}
