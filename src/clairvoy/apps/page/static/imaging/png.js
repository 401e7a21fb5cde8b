// Writing PNG: 8 bits, RGB or RGBA, by strips, with EXIF and colour profile. Nothing is lost, unlike through a canvas,
// which cannot carry metadata and rounds colours below transparency.

import { crc } from "./crc.js";
import { joined, through } from "./metadata.js";

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const PAETH = 4;

/** A PNG file as a Blob.
 *
 * @param strips asynchronous iterable of whole rows of RGBA pixels, from top to bottom
 * @param metadata {exif, icc}, bytes or null
 */
export async function pngOf(strips, width, height, opaque, { exif, icc }) {
  const channels = opaque ? 3 : 4;
  const head = new Uint8Array(13);
  const view = new DataView(head.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  head.set([8, opaque ? 2 : 6], 8);
  const parts = [SIGNATURE, chunk("IHDR", head)];
  if (icc) {
    const name = Uint8Array.from("ICC profile\0\0", (letter) => letter.charCodeAt(0)); // the second 0: packed by deflate
    parts.push(chunk("iCCP", joined([name, await through(icc, new CompressionStream("deflate"))])));
  }
  if (exif) parts.push(chunk("eXIf", exif));
  const packer = new CompressionStream("deflate");
  const packed = collected(packer.readable);
  const writer = packer.writable.getWriter();
  let above = new Uint8Array(width * channels);
  for await (const pixels of strips) {
    const rows = pixels.length / (4 * width);
    const lines = new Uint8Array(rows * (1 + width * channels));
    for (let y = 0; y < rows; y++) {
      const row = packedRow(pixels.subarray(4 * y * width, 4 * (y + 1) * width), channels);
      filtered(row, above, channels, lines.subarray(y * (1 + row.length), (y + 1) * (1 + row.length)));
      above = row;
    }
    await writer.write(lines);
  }
  await writer.close();
  for (const piece of await packed) parts.push(chunk("IDAT", piece));
  parts.push(chunk("IEND", new Uint8Array(0)));
  return new Blob(parts, { type: "image/png" });
}

function packedRow(pixels, channels) {
  if (channels === 4) return pixels;
  const row = new Uint8Array((pixels.length / 4) * 3);
  for (let from = 0, to = 0; from < pixels.length; from += 4, to += 3) {
    row[to] = pixels[from];
    row[to + 1] = pixels[from + 1];
    row[to + 2] = pixels[from + 2];
  }
  return row;
}

/** What is left of a row once each byte is predicted by its neighbours (Paeth's filter; PNG specification, section 9.4). */
function filtered(row, above, channels, out) {
  out[0] = PAETH;
  for (let i = 0; i < row.length; i++) {
    const left = i >= channels ? row[i - channels] : 0, up = above[i], corner = i >= channels ? above[i - channels] : 0;
    const toLeft = Math.abs(up - corner), toUp = Math.abs(left - corner), toCorner = Math.abs(left + up - 2 * corner);
    const predicted = toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner;
    out[i + 1] = row[i] - predicted;
  }
}

async function collected(readable) {
  const pieces = [];
  const reader = readable.getReader();
  for (let piece; !(piece = await reader.read()).done; ) pieces.push(piece.value);
  return pieces;
}

function chunk(kind, content) {
  const out = new Uint8Array(12 + content.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, content.length);
  for (let i = 0; i < 4; i++) out[4 + i] = kind.charCodeAt(i);
  out.set(content, 8);
  view.setUint32(8 + content.length, crc(out.subarray(4, 8 + content.length)));
  return out;
}
