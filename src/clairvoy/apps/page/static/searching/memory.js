// What an agent has seen and done in one scene of R x C windows; see searching/glimpse.py. Here all beliefs are known from
// the start, so nothing that is read corrects what is expected of other windows.

export class Memory {
  /** @param belief (4, R, C) in [0, 1], of all windows: haze, spread, clear, tau. */
  constructor(belief, rows, cols) {
    const count = rows * cols;
    Object.assign(this, { rows, cols, count, belief });
    this.expected = belief.slice(0, count); // haze
    this.visited = new Uint8Array(count);
    this.recognised = new Uint8Array(count);
    this.distance = new Int32Array(count).fill(rows + cols); // moves to the nearest visited window
  }

  /** Keep that the window in a row and column was seen. */
  remember(row, column) {
    for (let r = 0, i = 0; r < this.rows; r++) {
      for (let c = 0; c < this.cols; c++, i++) {
        this.distance[i] = Math.min(this.distance[i], Math.abs(r - row) + Math.abs(c - column));
      }
    }
    this.visited[row * this.cols + column] = 1;
  }
}
