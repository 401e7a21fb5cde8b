// A file as pixels: decoded by the browser, upright, as the file's numbers, with no conversion of colours.

import { readExactly } from "./transparency.js";

const STRIP = 1 << 20; // pixels that a canvas holds at a time: some phones allow no large ones
const MOST = 120e6; // pixels; four bytes each, and as many again while a file is written

export class UnreadableError extends Error {}
export class TooLargeError extends Error {}

/** {pixels: Uint8ClampedArray of RGBA, width, height, hidden, opaque} of a file. */
export async function decoded(file) {
  const bitmap = await opened(file);
  const { width, height } = bitmap;
  if (width * height > MOST) throw new TooLargeError(`${width} x ${height}`);
  const pixels = new Uint8ClampedArray(4 * width * height);
  const rows = Math.min(height, Math.max(1, Math.floor(STRIP / width)));
  const context = new OffscreenCanvas(width, rows).getContext("2d", { willReadFrequently: true });
  for (let top = 0; top < height; top += rows) {
    const count = Math.min(rows, height - top);
    context.clearRect(0, 0, width, rows);
    context.drawImage(bitmap, 0, -top);
    pixels.set(context.getImageData(0, 0, width, count).data, 4 * top * width);
  }
  const opaque = everyAlpha(pixels, (alpha) => alpha === 255);
  if (!opaque) readExactly(bitmap, pixels);
  bitmap.close();
  return { pixels, width, height, opaque, hidden: !opaque && !everyAlpha(pixels, (alpha) => alpha > 0) };
}

function everyAlpha(pixels, holds) {
  for (let i = 3; i < pixels.length; i += 4) if (!holds(pixels[i])) return false;
  return true;
}

async function opened(file) {
  try {
    return await createImageBitmap(file, {
      imageOrientation: "from-image", colorSpaceConversion: "none", premultiplyAlpha: "none",
    });
  } catch {
    throw new UnreadableError(file.name);
  }
}

/** The same picture, at most `most` pixels large, as the browser makes pictures smaller. */
export async function reduced(picture, most) {
  const scale = Math.sqrt(most / (picture.width * picture.height));
  if (scale >= 1) return picture;
  const width = Math.max(1, Math.round(picture.width * scale)), height = Math.max(1, Math.round(picture.height * scale));
  const whole = new ImageData(picture.pixels, picture.width, picture.height);
  const bitmap = await createImageBitmap(whole, { resizeWidth: width, resizeHeight: height, resizeQuality: "medium" });
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return { ...picture, width, height, pixels: context.getImageData(0, 0, width, height).data };
}
