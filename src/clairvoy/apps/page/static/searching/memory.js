// What an agent has seen and done in one scene of R x C windows, and what it expects elsewhere; see searching/glimpse.py.

import constants from "../constants.js";
import { clamp } from "../rounding.js";

const { TRUST, KERNEL } = constants.glimpse;

export class Memory {
  /** @param beliefs (4, R, C) in [0, 1], known of all windows from the start: haze, spread, clear, tau. */
  constructor(beliefs, rows, cols) {
    const count = rows * cols;
    Object.assign(this, { rows, cols, count });
    this.belief = Float32Array.from(beliefs);
    this.prior = this.belief.slice(0, count);
    this.visited = new Uint8Array(count);
    this.recognised = new Uint8Array(count);
    this.correction = new Float32Array(count);
    this.weight = new Float32Array(count);
    this.distance = new Int32Array(count).fill(rows + cols);
  }

  /** Haze expected of each window: what was known before, corrected by windows read nearby. */
  expected() {
    return this.prior.map((haze, i) => clamp(haze + this.correction[i] / (this.weight[i] + TRUST[1]), 0, 1));
  }

  /** Keep that the window in a row and column was seen. */
  remember(row, column) {
    const here = row * this.cols + column;
    const fresh = this.visited[here] ? 0 : 1;
    const error = fresh * (this.belief[here] - this.prior[here]);
    const fall = Math.exp(-1 / (KERNEL[0] + Math.max(this.rows, this.cols) / KERNEL[1]));
    for (let r = 0, i = 0; r < this.rows; r++) {
      for (let c = 0; c < this.cols; c++, i++) {
        const away = Math.abs(r - row) + Math.abs(c - column);
        this.correction[i] += fall ** away * error;
        this.weight[i] += fall ** away * fresh;
        this.distance[i] = Math.min(this.distance[i], away);
      }
    }
    this.visited[here] = 1;
  }
}
