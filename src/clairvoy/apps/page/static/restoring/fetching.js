// Files of this page, compressed by gzip whatever the host does, and unpacked here.

export class FetchingError extends Error {}

/** Fetch files by their names; gives Uint8Arrays, and tells what part of them has come. */
export async function fetched(names, tell) {
  const root = new URL("../", import.meta.url);
  const come = names.map(() => [0, 0]);
  const one = async (name, index) => {
    const answer = await fetch(new URL(name, root)).catch((error) => { throw new FetchingError(`${name}: ${error.message}`); });
    if (!answer.ok) throw new FetchingError(`${name}: ${answer.status}`);
    come[index][1] = Number(answer.headers.get("content-length")) || 0;
    const parts = [];
    const reader = answer.body.getReader();
    for (let piece; !(piece = await reader.read()).done; ) {
      parts.push(piece.value);
      come[index][0] += piece.value.length;
      const [got, whole] = come.reduce(([a, b], [c, d]) => [a + c, b + Math.max(c, d)], [0, 0]);
      tell(got / whole);
    }
    return unpacked(new Blob(parts));
  };
  return Promise.all(names.map(one));
}

/** A host that declares such a file as encoded has had it unpacked already, by the browser. */
async function unpacked(blob) {
  const start = new Uint8Array(await blob.slice(0, 2).arrayBuffer());
  if (start[0] !== 0x1f || start[1] !== 0x8b) return new Uint8Array(await blob.arrayBuffer());
  const stream = blob.stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
