// What is seen of a picture at other sizes; restoring/planes.py does the same with OpenCV.
//
// A picture is {pixels: Uint8ClampedArray of RGBA, width, height, hidden}; hidden says that some pixels have alpha 0.

import constants from "../constants.js";
import { clamp, halfEven } from "../rounding.js";
import { fill } from "./hidden.js";
import { planes, resampled } from "./resampling.js";

const SIZE = constants.pictureSize;

/** Height and width at which a picture is perceived: multiples of 16, of about `area` pixels. */
export function workingSize(height, width, area = SIZE.AREA) {
  const scale = Math.sqrt(area / (height * width));
  const fit = (length) => clamp(halfEven((length * scale) / SIZE.STRIDE) * SIZE.STRIDE, SIZE.LEAST, SIZE.MOST);
  return [fit(height), fit(width)];
}

/** What is seen of a picture at another size, (3, height, width) in [0, 1]: means over areas where it gets smaller. */
export function small(picture, [height, width]) {
  const shrinks = picture.height >= height && picture.width >= width;
  const channels = picture.hidden ? 4 : 3;
  const mixed = resampled(rowsOf(picture), picture, { height, width }, channels, shrinks);
  const out = planes(3, height, width);
  const count = height * width;
  if (picture.hidden) {
    const known = new Uint8Array(count);
    for (let i = 0; i < count; i++) {
      const weight = mixed[3 * count + i];
      known[i] = weight > 1e-3 ? 1 : 0;
      for (let c = 0; c < 3; c++) mixed[c * count + i] /= Math.max(weight, 1e-3);
    }
    out.data.set(fill({ data: mixed.subarray(0, 3 * count), channels: 3, height, width }, known).data);
  } else {
    out.data.set(mixed);
    // A mean over 8-bit pixels is an 8-bit pixel; what lies between levels is kept where a picture is enlarged.
    if (shrinks) for (let i = 0; i < out.data.length; i++) out.data[i] = halfEven(out.data[i]);
  }
  for (let i = 0; i < out.data.length; i++) out.data[i] /= 255;
  return out;
}

/** How much of each place is seen, (1, height, width) in [0, 1]. */
export function shareSeen(picture, [height, width]) {
  const shrinks = picture.height >= height && picture.width >= width;
  const mixed = resampled(rowsOf(picture), picture, { height, width }, 4, shrinks);
  return mixed.subarray(3 * height * width);
}

/** Rows of a picture as numbers: red, green, blue and, with 4 channels, 1 where it is seen; nothing where it is not. */
function rowsOf({ pixels, width, hidden }) {
  return (y, row, channels) => {
    for (let x = 0, from = y * width * 4, to = 0; x < width; x++, from += 4, to += channels) {
      const seen = !hidden || pixels[from + 3] > 0;
      for (let c = 0; c < 3; c++) row[to + c] = seen ? pixels[from + c] : 0;
      if (channels === 4) row[to + 3] = seen ? 1 : 0;
    }
  };
}
