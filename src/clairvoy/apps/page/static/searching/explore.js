// The agent at work: looks over a picture that was perceived at once, and says by its values how much haze there is; see
// searching/explore.py.

import constants from "../constants.js";
import { clamp } from "../rounding.js";
import { guides } from "./guidance.js";
import { Memory } from "./memory.js";

const { STAY, ROW_STEP, COLUMN_STEP, CROP, WINDOW } = constants.glimpse;
const { GRID, PHOTOGRAPH_BUDGET } = constants.explore;
const { FULL_SPREAD } = constants.beliefs;

/** The largest value of a state met on the way.
 *
 * @param agent asynchronous function from an observation to five values: right, left, up, down, stay
 * @param thumbnail planes (3, GRID * WINDOW, GRID * WINDOW) of 0 to 255
 * @param beliefs (4, GRID, GRID) from `poolBeliefs`
 */
export async function search(agent, thumbnail, beliefs) {
  const memory = new Memory(beliefs, GRID, GRID);
  const steps = Math.max(1, Math.round(PHOTOGRAPH_BUDGET * GRID * GRID));
  let row = GRID >> 1, column = GRID >> 1, value = -Infinity;
  for (let step = 0; step < steps; step++) {
    memory.remember(row, column);
    const values = await agent(observe(thumbnail, memory, row, column, 1 - step / steps));
    const action = values.indexOf(Math.max(...values));
    value = Math.max(value, values[action]);
    if (action === STAY) {
      if (memory.recognised[row * GRID + column]) break;
      memory.recognised[row * GRID + column] = 1;
    }
    row = clamp(row + ROW_STEP[action], 0, GRID - 1);
    column = clamp(column + COLUMN_STEP[action], 0, GRID - 1);
  }
  return value;
}

/** Mean of each belief over each window, (4, rows, cols) in [0, 1], from planes over the whole picture. */
export function poolBeliefs({ haze, spread, clear, tau_map: tau }, rows = GRID, cols = GRID) {
  const parts = [[haze, 1], [spread, 1 / FULL_SPREAD], [clear, 1], [tau, 1]];
  return Float32Array.from(parts.flatMap(([plane, factor]) => {
    const means = [];
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < cols; c++) means.push(clamp(factor * windowMean(plane, r, rows, c, cols), 0, 1));
    }
    return means;
  }));
}

/** A window without whole pixels of a plane counts all that it touches. */
function windowMean({ data, height, width }, row, rows, column, cols) {
  const [top, bottom] = [Math.floor((row * height) / rows), Math.ceil(((row + 1) * height) / rows)];
  const [left, right] = [Math.floor((column * width) / cols), Math.ceil(((column + 1) * width) / cols)];
  let sum = 0;
  for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) sum += data[y * width + x];
  return sum / ((bottom - top) * (right - left));
}

/** What the agent sees of the window that it stands on. */
export function observe(thumbnail, memory, row, column, budgetLeft) {
  const { rows, cols, count, visited, recognised, expected, belief } = memory;
  const here = row * cols + column;
  const sum = (flags) => flags.reduce((total, flag) => total + flag, 0) / count;
  const window = new Uint8Array(3 * WINDOW * WINDOW);
  for (let c = 0, at = 0; c < 3; c++) {
    for (let y = 0; y < WINDOW; y++) {
      const begin = (c * thumbnail.height + row * WINDOW + y) * thumbnail.width + column * WINDOW;
      for (let x = 0; x < WINDOW; x++, at++) window[at] = thumbnail.data[begin + x];
    }
  }
  return {
    window,
    belief: [0, 1, 2, 3].map((kind) => belief[kind * count + here]),
    memory: around(memory, row, column),
    position: [
      row / Math.max(rows - 1, 1), column / Math.max(cols - 1, 1), sum(visited), sum(recognised), budgetLeft,
      recognised[here], 1, expected[here],
    ],
    guides: guides(memory, row, column),
  };
}

/** The part of the memory, (8, CROP, CROP), that has the position in the middle; 0 outside the grid. */
function around(memory, row, column) {
  const { rows, cols, count, visited, recognised, expected, belief } = memory;
  const maps = [new Uint8Array(count).fill(1), visited, recognised];
  for (let kind = 0; kind < 4; kind++) maps.push(belief.subarray(kind * count, (kind + 1) * count));
  maps.push(expected);
  const half = CROP >> 1;
  return maps.flatMap((map) => {
    const cut = [];
    for (let r = row - half; r <= row + half; r++) {
      for (let c = column - half; c <= column + half; c++) {
        cut.push(r >= 0 && r < rows && c >= 0 && c < cols ? map[r * cols + c] : 0);
      }
    }
    return cut;
  });
}
