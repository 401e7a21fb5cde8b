// Hints about what lies far away: the nearest window of each kind, and pulls in four directions; see
// searching/guidance.py. Directions come in the order right, left, up, down.

import constants from "../constants.js";

const { EXPECTED_FROM, SPREAD_OF_COVER, REACHES, NEAR, FAR, CLOSED } = constants.guidance;

export function guides(memory, row, column) {
  return [...goals(memory, row, column), ...pulls(memory, row, column)];
}

/** Seven numbers about the nearest window of each kind: there is one, its nearness on two scales, moves that lead nearer. */
function goals({ rows, cols, count, visited, recognised, expected, distance }, row, column) {
  const all = [...Array(count).keys()];
  const hazy = (i) => !visited[i] && expected[i] >= EXPECTED_FROM[1];
  const settled = (r, c) => !inside(r, c, rows, cols) || visited[r * cols + c] || expected[r * cols + c] < EXPECTED_FROM[1];
  const marked = (r, c) => inside(r, c, rows, cols) && recognised[r * cols + c];
  const moves = (i) => Math.abs(Math.floor(i / cols) - row) + Math.abs((i % cols) - column);
  const kinds = [
    ...EXPECTED_FROM.map((level) => (i) => !visited[i] && expected[i] >= level),
    ...SPREAD_OF_COVER.map((part) => (i) =>
      !visited[i] && distance[i] >= Math.max(2, Math.floor(Math.max(rows, cols) / part))),
    (i) => !visited[i],
    (i) => !visited[i] && neighbours(i, cols).some(([r, c]) => marked(r, c)),
  ];
  const costs = kinds.map((kind) => all.map((i) => (kind(i) ? moves(i) : FAR)));
  // The same as the nearest hazy one, but one that would be left behind alone is taken before.
  const open = (i) => 4 - neighbours(i, cols).filter(([r, c]) => settled(r, c)).length;
  costs.push(all.map((i) => (hazy(i) ? 4 * moves(i) + CLOSED * open(i) : FAR)));
  return costs.flatMap((cost) => {
    const place = cost.reduce((best, value, i) => (value < cost[best] ? i : best), 0);
    if (cost[place] >= FAR) return [0, 0, 0, 0, 0, 0, 0];
    const down = Math.floor(place / cols) - row, across = (place % cols) - column;
    const far = Math.abs(down) + Math.abs(across);
    return [1, Math.exp(-far / NEAR[0]), Math.exp(-far / NEAR[1]), +(across > 0), +(across < 0), +(down < 0), +(down > 0)];
  });
}

/** Unread windows, their expected haze, and those expected hazy: in each direction, less the further away. */
function pulls({ rows, cols, visited, expected }, row, column) {
  const kinds = [() => 1, (i) => expected[i], (i) => +(expected[i] >= EXPECTED_FROM[1])];
  return REACHES.flatMap((reach) => {
    const most = (1 - reach) ** 2 / (reach * (1 + reach)); // what an endless grid would pull with
    return kinds.flatMap((kind) => {
      const sums = [0, 0, 0, 0];
      for (let i = 0; i < rows * cols; i++) {
        if (visited[i]) continue;
        const down = Math.floor(i / cols) - row, across = (i % cols) - column;
        const pull = most * kind(i) * reach ** (Math.abs(down) + Math.abs(across));
        if (across) sums[across > 0 ? 0 : 1] += pull;
        if (down) sums[down < 0 ? 2 : 3] += pull;
      }
      return sums;
    });
  });
}

function neighbours(i, cols) {
  const row = Math.floor(i / cols), column = i % cols;
  return [[row - 1, column], [row + 1, column], [row, column - 1], [row, column + 1]];
}

const inside = (row, column, rows, cols) => row >= 0 && row < rows && column >= 0 && column < cols;
