// Planes of numbers at other sizes: means over areas, or linear interpolation, as OpenCV does it.
//
// Planes are {data: Float32Array, channels, height, width}, one channel behind the other.

import { clamp } from "../rounding.js";

export const planes = (channels, height, width) => ({
  data: new Float32Array(channels * height * width), channels, height, width,
});

/** Planes at another size, interpolated linearly between the centres of their cells. */
export function enlarged(from, height, width) {
  const out = planes(from.channels, height, width);
  const down = between(height, from.height);
  const across = between(width, from.width);
  for (let c = 0, at = 0; c < from.channels; c++) {
    for (let y = 0; y < height; y++) {
      const above = (c * from.height + down.before[y]) * from.width;
      const below = (c * from.height + down.after[y]) * from.width;
      for (let x = 0; x < width; x++, at++) {
        const left = across.before[x], right = across.after[x], share = across.share[x];
        const one = from.data[above + left] + share * (from.data[above + right] - from.data[above + left]);
        const two = from.data[below + left] + share * (from.data[below + right] - from.data[below + left]);
        out.data[at] = one + down.share[y] * (two - one);
      }
    }
  }
  return out;
}

/** For `length` places over `cells` cells: the cell before each, the one after it, and how far it lies between them. */
function between(length, cells) {
  const before = new Int32Array(length), after = new Int32Array(length), share = new Float64Array(length);
  for (let i = 0; i < length; i++) {
    const place = clamp(((i + 0.5) * cells) / length - 0.5, 0, cells - 1);
    before[i] = Math.floor(place);
    after[i] = Math.min(before[i] + 1, cells - 1);
    share[i] = place - before[i];
  }
  return { before, after, share };
}

/** Rows of numbers at another size, one channel behind the other: means over areas, or linear interpolation.
 *
 * @param readRow writes the numbers of one row, pixel by pixel; every row is read once at most, from top to bottom
 */
export function resampled(readRow, from, to, channels, areas) {
  const across = areas ? shares(to.width, from.width) : tents(to.width, from.width);
  const down = areas ? shares(to.height, from.height) : tents(to.height, from.height);
  const out = new Float64Array(channels * to.height * to.width);
  const row = new Float64Array(from.width * channels);
  const narrow = new Float64Array(to.width * channels);
  // What each row gives to which rows of the outcome.
  const gives = Array.from({ length: from.height }, () => []);
  for (let target = 0; target < to.height; target++) {
    for (let i = down.begin[target]; i < down.begin[target + 1]; i++) gives[down.source[i]].push([target, down.weight[i]]);
  }
  for (let y = 0; y < from.height; y++) {
    if (!gives[y].length) continue;
    readRow(y, row, channels);
    narrowed(row, across, channels, narrow);
    for (const [target, weight] of gives[y]) {
      for (let c = 0; c < channels; c++) {
        const begin = (c * to.height + target) * to.width;
        for (let x = 0; x < to.width; x++) out[begin + x] += weight * narrow[x * channels + c];
      }
    }
  }
  return out;
}

function narrowed(row, { begin, source, weight }, channels, out) {
  for (let x = 0; x < begin.length - 1; x++) {
    for (let c = 0; c < channels; c++) {
      let sum = 0;
      for (let i = begin[x]; i < begin[x + 1]; i++) sum += weight[i] * row[source[i] * channels + c];
      out[x * channels + c] = sum;
    }
  }
}

/** For each of `length` targets the sources that it covers, and the part of the mean that each has. */
function shares(length, sources) {
  const step = sources / length;
  return listed(length, (target) => {
    const parts = [];
    const end = Math.min((target + 1) * step, sources);
    for (let source = Math.floor(target * step); source < end; source++) {
      const overlap = Math.min(end, source + 1) - Math.max(target * step, source);
      if (overlap > 1e-9) parts.push([source, overlap / step]);
    }
    return parts;
  });
}

/** For each of `length` targets the two sources that it lies between. */
function tents(length, sources) {
  const { before, after, share } = between(length, sources);
  return listed(length, (i) => [[before[i], 1 - share[i]], [after[i], share[i]]]);
}

/** Sources and weights of all targets, one behind the other; those of target i lie from begin[i] to begin[i + 1]. */
function listed(length, partsOf) {
  const parts = Array.from({ length }, (_, target) => partsOf(target));
  const begin = [0];
  for (const some of parts) begin.push(begin[begin.length - 1] + some.length);
  const flat = parts.flat();
  return {
    begin: Int32Array.from(begin),
    source: Int32Array.from(flat, ([source]) => source),
    weight: Float64Array.from(flat, ([, weight]) => weight),
  };
}
