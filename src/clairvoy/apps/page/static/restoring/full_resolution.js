// The pass at full resolution, J = (I - A) exp(od) + A; see restoring/full_resolution.py and vectorised.py.
//
// Every pixel reads the bilateral grid of optical depth with a guide made of its own colour. Pixels are RGBA, and are
// worked on by rows, so that a caller may take as many at a time as fit into memory.

import constants from "../constants.js";
import { clamp } from "../rounding.js";

const { hidden, hiddenBias, spread, spreadBias } = constants.guide;
const UNITS = Float64Array.from(hidden.flatMap((weights, i) => [...weights.map((w) => w / 255), hiddenBias[i], spread[i]]));

/** What a picture of a size reads the grid with; `grid` is planes (bins, h, w). */
export function reading(grid, height, width) {
  const bins = grid.channels;
  const lying = new Float32Array(grid.data.length); // (h, w, bins): what one pixel needs lies together
  const count = grid.height * grid.width;
  for (let bin = 0; bin < bins; bin++) {
    for (let i = 0; i < count; i++) lying[i * bins + bin] = grid.data[bin * count + i];
  }
  return {
    bins, grid: lying, stride: grid.width * bins, width,
    down: places(height, grid.height), across: places(width, grid.width),
  };
}

/** Optical depth along rows of pixels into `out`, one number for each; `top` is the place of the first row. */
export function opticalDepth(pixels, top, read, out) {
  const { bins, grid, stride, width, down, across } = read;
  const cells = new Float32Array(stride);
  const rows = pixels.length / (4 * width);
  for (let y = 0, at = 0; y < rows; y++) {
    const above = down.before[top + y] * stride, part = down.share[top + y];
    for (let i = 0; i < stride; i++) cells[i] = grid[above + i] * (1 - part) + grid[above + stride + i] * part;
    for (let x = 0; x < width; x++, at++) {
      const red = pixels[4 * at], green = pixels[4 * at + 1], blue = pixels[4 * at + 2];
      let sum = spreadBias;
      for (let unit = 0; unit < UNITS.length; unit += 5) {
        const seen = UNITS[unit] * red + UNITS[unit + 1] * green + UNITS[unit + 2] * blue + UNITS[unit + 3];
        if (seen > 0) sum += UNITS[unit + 4] * seen;
      }
      const guide = (bins - 1) / (1 + Math.exp(-clamp(sum, -16, 16)));
      const level = Math.min(Math.floor(guide), bins - 2);
      const up = guide - level;
      const here = across.before[x] * bins + level;
      const one = cells[here] + up * (cells[here + 1] - cells[here]);
      const two = cells[here + bins] + up * (cells[here + bins + 1] - cells[here + bins]);
      out[at] = one + across.share[x] * (two - one);
    }
  }
}

/** Restored pixels into `out`, from their optical depth; alpha, and what nobody sees, stay as they are. */
export function restore(pixels, depth, amount, airlight, out) {
  const [red, green, blue] = airlight.map((value) => value * 255);
  for (let at = 0, i = 0; at < depth.length; at++, i += 4) {
    const gain = pixels[i + 3] ? Math.exp(amount * depth[at]) : 1;
    out[i] = level((pixels[i] - red) * gain + red);
    out[i + 1] = level((pixels[i + 1] - green) * gain + green);
    out[i + 2] = level((pixels[i + 2] - blue) * gain + blue);
    out[i + 3] = pixels[i + 3];
  }
}

const level = (value) => Math.floor(clamp(value, 0, 255) + 0.5);

/** For each pixel of a length: the cell before it, and how far it lies towards the next. */
function places(length, cells) {
  const before = new Int32Array(length), share = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    const place = clamp(((i + 0.5) * cells) / length - 0.5, 0, cells - 1);
    before[i] = clamp(Math.floor(place), 0, cells - 2);
    share[i] = place - before[i];
  }
  return { before, share };
}
