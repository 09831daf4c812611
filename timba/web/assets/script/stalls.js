// Gives up requests whose connection hangs: a phone that has changed its network may be told of no error for minutes.

/** How long a request may make no progress. */
export const STALL_MS = 30_000;
// A file that has arrived is stored before the answer: at so many bytes a millisecond, even where much else is going on.
const STORED_BYTES = 10 * 1024;
const BUSY_MS = 120_000;

/** Return how long the answer to the last bytes of a file of this size may take. */
export const storingTime = (size) => BUSY_MS + size / STORED_BYTES;

/**
 * Call `onStall()` if the XMLHttpRequest, which is about to be sent, makes no progress for STALL_MS, or is not answered
 * within `answerMs` after its last byte was sent.
 */
export function watchForStall(request, onStall, answerMs = STALL_MS) {
  let timer;
  const wait = (milliseconds) => {
    clearTimeout(timer);
    timer = setTimeout(onStall, milliseconds);
  };
  wait(STALL_MS);
  request.upload.addEventListener("progress", () => wait(STALL_MS));
  request.upload.addEventListener("load", () => wait(answerMs));
  request.addEventListener("loadend", () => clearTimeout(timer));
}
