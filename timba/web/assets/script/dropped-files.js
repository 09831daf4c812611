// The files that are dropped on an upload page, those in folders too.

// What systems keep in folders beside the files of people.
const SYSTEM_FILES = /^(\..*|thumbs\.db|desktop\.ini)$/i;

/** Resolve to the files of a DataTransfer, and of the folders in it; folders that cannot be read are as they are. */
export async function readDropped(transfer) {
  // Both are empty once the event is over.
  const files = [...transfer.files];
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  if (!entries.some(({ isDirectory }) => isDirectory)) return files;
  try {
    return (await Promise.all(entries.map(filesIn))).flat();
  } catch {
    return files;
  }
}

async function filesIn(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => { entry.file(resolve, reject); })];
  const inside = (await listFolder(entry)).filter(({ name }) => !SYSTEM_FILES.test(name));
  inside.sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }));
  return (await Promise.all(inside.map(filesIn))).flat();
}

async function listFolder(entry) {
  const reader = entry.createReader();
  const entries = [];
  const readMore = () => new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
  // Each call returns some more, a hundred at most; the last one none.
  for (let more = await readMore(); more.length; more = await readMore()) entries.push(...more);
  return entries;
}
