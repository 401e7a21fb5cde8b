// Files in what was dropped or chosen, with their places in it: [{file, path}].

/** Files of an input. A folder that is chosen names the place of each. */
export const ofInput = (input) => [...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })).sort(byPath);

/** Files of a drop, those in folders too. The entries must be taken from the event before anything is waited for. */
export async function ofDrop(data) {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry?.());
  if (!entries.length || entries.some((entry) => !entry)) return [...data.files].map((file) => ({ file, path: file.name }));
  return (await Promise.all(entries.map(below))).flat();
}

/** Files of a file or folder of the File and Directory Entries API, in the order of their names. */
export async function below(entry) {
  const promise = (start) => new Promise(start);
  if (entry.isFile) {
    return [{ file: await promise((done, failed) => entry.file(done, failed)), path: entry.fullPath.replace(/^\//, "") }];
  }
  const reader = entry.createReader(), found = [];
  // A folder is told in parts, until there are no more.
  for (let part; (part = await promise((done, failed) => reader.readEntries(done, failed))).length; ) found.push(...part);
  return (await Promise.all(found.map(below))).flat().sort(byPath);
}

function byPath(a, b) {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}

/** Hidden files, such as those that a system puts into folders, are meant by nobody. */
export const isHidden = (path) => path.split("/").some((name) => name.startsWith("."));
