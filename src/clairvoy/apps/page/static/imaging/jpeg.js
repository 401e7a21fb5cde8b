// JPEG: coded by the browser, with EXIF and colour profile put in.

import { joined } from "./metadata.js";

const QUALITY = 0.95;
const MOST = 65533 - 2; // bytes that a segment holds

/** A JPEG file as a Blob, from a canvas that holds the picture. */
export async function jpegOf(canvas, { exif, icc }) {
  const plain = await canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY });
  return new Blob([await withSegments(plain, exif, icc)], { type: "image/jpeg" });
}

async function withSegments(blob, exif, icc) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  const parts = [bytes.subarray(0, 2)];
  let at = 2;
  if (bytes[at + 1] === 0xe0) parts.push(bytes.subarray(at, (at = after(bytes, at)))); // JFIF has to be the first
  if (exif && exif.length <= MOST - 6) parts.push(segment(0xe1, "Exif\0\0", exif));
  if (icc) {
    const room = MOST - 14, count = Math.ceil(icc.length / room);
    for (let i = 0; i < count; i++) {
      const place = String.fromCharCode(i + 1, count);
      parts.push(segment(0xe2, `ICC_PROFILE\0${place}`, icc.subarray(i * room, (i + 1) * room)));
    }
  }
  // The browser declares the colours of its canvas; what the file declared is what holds.
  while (bytes[at + 1] >= 0xe1 && bytes[at + 1] <= 0xef) at = after(bytes, at);
  return joined([...parts, bytes.subarray(at)]);
}

const after = (bytes, at) => at + 2 + bytes[at + 2] * 256 + bytes[at + 3];

function segment(kind, name, content) {
  const letters = Uint8Array.from(name, (letter) => letter.charCodeAt(0));
  const length = 2 + letters.length + content.length;
  return joined([Uint8Array.of(0xff, kind, length >> 8, length & 0xff), letters, content]);
}
