// The client of tus 1.0.0, which is loaded once a file is large enough to be sent in parts.

// Its sources rather than their translation for old browsers, which is twice as large.
export { Upload } from "tus-js-client/lib/browser/index.js";
