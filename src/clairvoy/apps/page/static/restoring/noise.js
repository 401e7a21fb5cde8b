// How far haze can be taken away before what it left of the signal drowns in noise; see restoring/noise.py.

import constants from "../constants.js";
import { halfEven, median } from "../rounding.js";
import { enlarged, planes } from "./resampling.js";

const { VISIBLE, FAINT, TILE, TILES, FLATTEST, KNEE, LEAST_LIMIT, CELL } = constants.noise;
const BLOCK = 8; // of JPEG, in pixels

/** Deviation of noise and coding blocks in flat parts of a picture, in a range of 1. */
export function noiseLevel(picture) {
  const tiles = cutTiles(picture);
  if (!tiles.length) return 0;
  const white = tiles.map((tile) => [deviation(tile), median(laplacian(tile)) / (0.6745 * 6)]);
  white.sort((one, two) => one[0] - two[0] || one[1] - two[1]);
  const flat = white.slice(0, Math.max(1, halfEven(FLATTEST * white.length))).map(([, level]) => level);
  const blocks = Math.max(0, median(tiles.map((tile) => blockSteps(tile, TILE, 1) + blockSteps(tile, 1, TILE))));
  return Math.hypot(median(flat), blocks);
}

/** Optical depth bent so that noise of a level stays below VISIBLE in what is restored. */
export function withinNoise(grid, level) {
  const most = grid.data.reduce((one, two) => Math.max(one, two), 0);
  if (level * Math.exp(most) <= VISIBLE * KNEE) return grid;
  const limit = Math.max(LEAST_LIMIT, Math.log(VISIBLE / level));
  return { ...grid, data: grid.data.map((depth) => bent(depth, limit)) };
}

/** Optical depth bent where what is seen hardly differs from the airlight. */
export function withinSignal(grid, picture, airlight) {
  const { height, width } = picture;
  const cells = planes(1, height / CELL, width / CELL);
  for (let c = 0, at = 0; c < 3; c++) {
    for (let y = 0; y < height; y++) {
      const row = Math.floor(y / CELL) * cells.width;
      for (let x = 0; x < width; x++, at++) {
        cells.data[row + Math.floor(x / CELL)] += (picture.data[at] - airlight[c]) ** 2;
      }
    }
  }
  cells.data.forEach((sum, i) => (cells.data[i] = Math.log1p(Math.sqrt(sum / (3 * CELL * CELL)) / FAINT)));
  const limit = enlarged(cells, grid.height, grid.width).data;
  return { ...grid, data: grid.data.map((depth, i) => bent(depth, limit[i % limit.length])) };
}

/** Unchanged up to KNEE of the limit, and from there on ever slower towards it. */
function bent(depth, limit) {
  const knee = KNEE * limit;
  const rest = Math.max(limit - knee, 1e-6);
  return Math.min(depth, knee) + rest * Math.tanh(Math.max(depth - knee, 0) / rest);
}

/** Grey tiles spread over the picture, their corners on the lattice of JPEG's blocks; TILE x TILE in [0, 1]. */
function cutTiles({ pixels, width, height }) {
  if (Math.min(height, width) < TILE) return [];
  const tiles = [];
  for (const top of corners(height)) {
    for (const left of corners(width)) {
      const tile = new Float32Array(TILE * TILE);
      for (let y = 0, at = 0; y < TILE; y++) {
        for (let x = 0; x < TILE; x++, at++) {
          const from = ((top + y) * width + left + x) * 4;
          tile[at] = (pixels[from] + pixels[from + 1] + pixels[from + 2]) / (3 * 255);
        }
      }
      tiles.push(tile);
    }
  }
  return tiles;
}

function corners(length) {
  const count = Math.min(TILES, Math.floor(length / TILE));
  const places = Array.from({ length: count }, (_, i) => (count > 1 ? (i * (length - TILE)) / (count - 1) : 0));
  return [...new Set(places.map((place) => Math.floor(Math.floor(place) / BLOCK) * BLOCK))];
}

function deviation(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

/** Magnitude of Immerkaer's kernel inside of a tile. */
function laplacian(tile) {
  const out = [];
  for (let y = 1; y < TILE - 1; y++) {
    for (let x = 1; x < TILE - 1; x++) {
      const i = y * TILE + x;
      const corner = tile[i - TILE - 1] + tile[i - TILE + 1] + tile[i + TILE - 1] + tile[i + TILE + 1];
      const side = tile[i - TILE] + tile[i + TILE] + tile[i - 1] + tile[i + 1];
      out.push(Math.abs(4 * tile[i] - 2 * side + corner));
    }
  }
  return out;
}

/** How much larger steps are from one block of 8 to the next than within; `along` and `step` are strides in the tile. */
function blockSteps(tile, along, step) {
  let border = 0, borders = 0, inside = 0, insides = 0;
  for (let x = 0; x < TILE - 1; x++) {
    let sum = 0;
    for (let y = 0; y < TILE; y++) sum += Math.abs(tile[y * along + (x + 1) * step] - tile[y * along + x * step]);
    if (x % BLOCK === BLOCK - 1) (border += sum), borders++;
    else (inside += sum), insides++;
  }
  return (border / borders - inside / insides) / TILE;
}
