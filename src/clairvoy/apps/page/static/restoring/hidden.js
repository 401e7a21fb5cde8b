// Pixels that nobody sees are filled from around: push-pull, as in imaging/hidden.py.

import { enlarged } from "./resampling.js";

/** Fill what is not known of planes; what is known stays, and all is 0 where nothing is known. */
export function fill(seen, known) {
  const { channels, height, width } = seen;
  if (known.every((one) => one)) return { ...seen, data: Float64Array.from(seen.data) };
  const rows = height + (height % 2), cols = width + (width % 2);
  const half = { data: new Float64Array((channels * rows * cols) / 4), channels, height: rows / 2, width: cols / 2 };
  const count = half.height * half.width;
  if (!known.some((one) => one)) return { ...seen, data: new Float64Array(seen.data.length) };
  const weight = new Float64Array(count);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!known[y * width + x]) continue;
      const at = (y >> 1) * half.width + (x >> 1);
      weight[at] += 1;
      for (let c = 0; c < channels; c++) half.data[c * count + at] += seen.data[(c * height + y) * width + x];
    }
  }
  for (let i = 0; i < half.data.length; i++) half.data[i] /= Math.max(weight[i % count], 1);
  const around = enlarged(fill(half, weight.map((w) => (w > 0 ? 1 : 0))), rows, cols);
  const out = new Float64Array(seen.data.length);
  for (let c = 0, at = 0; c < channels; c++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++, at++) {
        out[at] = known[y * width + x] ? seen.data[at] : around.data[(c * rows + y) * cols + x];
      }
    }
  }
  return { data: out, channels, height, width };
}
