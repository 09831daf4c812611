// Uploads a file with tus-js-client: node tus_js.mjs <endpoint> <access token> <path> <chunk size>.
// Prints the headers of the last response that tell the file's id.

import { createReadStream } from "node:fs"
import { basename } from "node:path"
import * as tus from "tus-js-client"

const [endpoint, access, path, chunkSize] = process.argv.slice(2)
let fileId = null

const upload = new tus.Upload(createReadStream(path), {
  endpoint,
  chunkSize: Number(chunkSize),
  retryDelays: Array(200).fill(300),
  headers: { Authorization: `Bearer ${access}` },
  metadata: { filename: basename(path), kind: "text" },
  onAfterResponse: (request, response) => {
    fileId = response.getHeader("Timba-File-Id") || fileId
  },
  onError: (error) => {
    console.error(String(error))
    process.exit(1)
  },
  onSuccess: () => {
    console.log(fileId)
    process.exit(0)
  },
})
upload.start()
