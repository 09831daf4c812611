// What the page refuses before a byte is sent. The door decides the same again: these rules save the way.

import { size } from "./format.js";

const LONGEST_NAME = 255;
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
const SIGNATURES = {
  jpg: [0xff, 0xd8, 0xff],
  jpeg: [0xff, 0xd8, 0xff],
  png: [0x89, 0x50, 0x4e, 0x47],
  webp: [0x52, 0x49, 0x46, 0x46],
  pdf: [0x25, 0x50, 0x44, 0x46],
  gz: [0x1f, 0x8b],
  xlsx: [0x50, 0x4b, 0x03, 0x04],
};

export const ending = (name) => (name.includes(".") ? name.split(".").at(-1).toLowerCase() : "");

const words = (list) => list.split(" ").filter(Boolean);

/** Read a form's limits from its data attributes. */
export function limitsOf(form) {
  const { endings, smallEndings, smallLimit, limit, most } = form.dataset;
  return {
    endings: words(endings),
    small: words(smallEndings),
    smallLimit: Number(smallLimit),
    limit: Number(limit),
    most: Number(most),
  };
}

/** Return why a file is not sent, or "" when nothing speaks against it. */
export async function refusal(file, limits) {
  const kind = ending(file.name);
  if ([...file.name].length > LONGEST_NAME) return `Not sent: its name is longer than ${LONGEST_NAME} characters. Shorten it.`;
  if (CONTROL.test(file.name)) return "Not sent: its name holds control characters. Rename it.";
  const allowed = !limits.endings.length || limits.endings.includes(kind);
  if (!allowed && (kind === "heic" || kind === "heif")) return "Not sent: HEIC cannot be read. Set the camera to JPG (“Most compatible”).";
  if (!allowed) return `Not sent: ${kind ? kind.toUpperCase() : "a file without an ending"} cannot be read here. Send ${listed(limits.endings)}.`;
  const limit = limits.small.includes(kind) ? limits.smallLimit : limits.limit;
  if (file.size > limit) return `Not sent: it has ${size(file.size, Math.ceil)}, ${limits.small.includes(kind) ? `a ${kind.toUpperCase()}` : "a file"} may have ${size(limit)}. Make it smaller.`;
  return unreadable(file, kind);
}

async function unreadable(file, kind) {
  let head;
  try {
    head = new Uint8Array(await file.slice(0, 12).arrayBuffer());
  } catch {
    return "Not sent: it is a folder or cannot be opened. Drop the files themselves.";
  }
  if (!head.length) return "Not sent: it is empty. Choose it again once something is in it.";
  const signature = SIGNATURES[kind];
  if (signature && !signature.every((byte, at) => head[at] === byte)) {
    return `Not sent: it is called ${kind.toUpperCase()} but is none inside. Save it as ${kind.toUpperCase()} again.`;
  }
  return "";
}

function listed(endings) {
  const capitals = endings.map((word) => word.toUpperCase());
  return `${capitals.slice(0, -1).join(", ")} or ${capitals.at(-1)}`;
}
