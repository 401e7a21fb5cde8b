// What a file says of its picture beside the pixels: EXIF and the colour profile (ICC), taken out of JPEG, PNG and WebP.
//
// Both are blocks of bytes, that are carried over as they are; only what is no longer true of the EXIF is mended.

const text = (bytes, begin, length) => String.fromCharCode(...bytes.subarray(begin, begin + length));
const ORIENTATION = 0x0112, EXIF_POINTER = 0x8769, ACROSS = 0xa002, DOWN = 0xa003;

/** {exif, icc} of a file; null where there is none, or where the file is of another kind. */
export async function metadataOf(bytes) {
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return ofJpeg(bytes);
  if (text(bytes, 1, 3) === "PNG") return ofPng(bytes);
  if (text(bytes, 0, 4) === "RIFF" && text(bytes, 8, 4) === "WEBP") return ofWebp(bytes);
  return { exif: null, icc: null };
}

/** Bits of a sample of a file that browsers can read: 16 in some PNG files, of which they keep 8. */
export function bitsOf(bytes) {
  return text(bytes, 1, 3) === "PNG" && bytes[24] === 16 ? 16 : 8;
}

function ofJpeg(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const profile = [];
  let exif = null;
  for (let at = 2; at + 4 <= bytes.length && bytes[at] === 0xff; ) {
    const kind = bytes[at + 1];
    if (kind === 0xff) { at++; continue; } // a filler
    if (kind === 0xda || kind === 0xd9) break;
    const length = view.getUint16(at + 2);
    const begin = at + 4, end = at + 2 + length;
    if (kind === 0xe1 && text(bytes, begin, 6) === "Exif\0\0") exif ??= bytes.slice(begin + 6, end);
    if (kind === 0xe2 && text(bytes, begin, 12) === "ICC_PROFILE\0") profile[bytes[begin + 12]] = bytes.slice(begin + 14, end);
    at = end;
  }
  const parts = profile.filter(Boolean);
  return { exif, icc: parts.length ? joined(parts) : null };
}

async function ofPng(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let exif = null, icc = null;
  for (let at = 8; at + 12 <= bytes.length; at += 12 + view.getUint32(at)) {
    const content = bytes.subarray(at + 8, at + 8 + view.getUint32(at));
    const kind = text(bytes, at + 4, 4);
    if (kind === "eXIf") exif = content.slice();
    if (kind === "iCCP") icc = await unpacked(content.slice(content.indexOf(0) + 2));
  }
  return { exif, icc };
}

/** A profile that is damaged is left out, as browsers do. */
async function unpacked(profile) {
  try {
    return await through(profile, new DecompressionStream("deflate"));
  } catch {
    return null;
  }
}

function ofWebp(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let exif = null, icc = null;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const kind = text(bytes, at, 4), length = view.getUint32(at + 4, true);
    const content = bytes.slice(at + 8, at + 8 + length);
    if (kind === "EXIF") exif = text(content, 0, 6) === "Exif\0\0" ? content.slice(6) : content;
    if (kind === "ICCP") icc = content;
    at += 8 + length + (length % 2);
  }
  return { exif, icc };
}

/** EXIF that fits upright pixels: orientation 1, sides exchanged if they were, and no thumbnail of the picture as it was. */
export function upright(block) {
  const out = block.slice();
  const view = new DataView(out.buffer);
  try {
    const little = text(out, 0, 2) === "II";
    const root = directory(view, view.getUint32(4, little), little);
    view.setUint32(root.link, 0, little);
    const turned = root.entries.get(ORIENTATION);
    if (turned === undefined) return out;
    const exchanged = view.getUint16(turned, little) >= 5;
    view.setUint16(turned, 1, little);
    if (!exchanged || !root.entries.has(EXIF_POINTER)) return out;
    const { entries } = directory(view, view.getUint32(root.entries.get(EXIF_POINTER), little), little);
    const [across, down] = [entries.get(ACROSS), entries.get(DOWN)];
    if (across === undefined || down === undefined) return out;
    // An entry is two bytes of tag, two of type, four of count and four of value: all behind the tag changes places.
    const kept = out.slice(across - 6, across + 4);
    out.copyWithin(across - 6, down - 6, down + 4);
    out.set(kept, down - 6);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // a block that cannot be read is carried over as it is
  }
  return out;
}

/** Places of the values of a directory by their tags, and of its link to the next one. */
function directory(view, begin, little) {
  const count = view.getUint16(begin, little);
  const entries = new Map();
  for (let i = 0; i < count; i++) {
    const at = begin + 2 + 12 * i;
    entries.set(view.getUint16(at, little), at + 8);
  }
  return { entries, link: begin + 2 + 12 * count };
}

export function joined(parts) {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) out.set(part, at), (at += part.length);
  return out;
}

/** Bytes sent through a stream that packs or unpacks. */
export async function through(bytes, stream) {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
}
