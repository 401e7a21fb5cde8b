// The dehazer: a picture is looked at once, then restored by any amount; see restoring/dehazer.py.

import constants from "../constants.js";
import { clamp } from "../rounding.js";
import { poolBeliefs, search } from "../searching/explore.js";
import { withoutCast } from "./cast.js";
import { noiseLevel, withinNoise, withinSignal } from "./noise.js";
import { shareSeen, small, workingSize } from "./planes.js";

const { RESTORE_FROM, SURE_FROM } = constants.dehazer;
const THUMBNAIL = constants.explore.GRID * constants.glimpse.WINDOW;

/** What is believed about a picture, and all that is needed to restore it.
 *
 * grid: optical depth, (bins, h, w), as believed; bent: the same, as far as noise allows; airlight (3); tauMap (1, h, w).
 */
export async function look(engine, picture) {
  const shown = small(picture, workingSize(picture.height, picture.width));
  const seen = await engine.perceive(shown);
  const thumbnail = small(picture, [THUMBNAIL, THUMBNAIL]);
  thumbnail.data = thumbnail.data.map((value) => Math.round(value * 255));
  const value = await search((observation) => engine.values(observation), thumbnail, poolBeliefs(seen));
  const haze = meanOfSeen(seen.haze, picture);
  const airlight = withoutCast(seen.airlight, shown, seen.grid);
  return {
    grid: seen.grid,
    bent: withinNoise(withinSignal(seen.grid, shown, airlight), noiseLevel(picture)),
    airlight,
    tauMap: seen.tau_map,
    report: { probability: hazeProbability(value, haze, seen.appearance), haze, tau: seen.tau, tauDb: seen.tauDb },
  };
}

/** Probability in [0, 1] that a picture has haze, by the agent's value of it, the mean of 1 - t and the logit of its appearance. */
export function hazeProbability(value, haze, appearance) {
  const [perValue, perHaze, offset] = constants.recognition;
  const logit = perValue * Math.sign(value) * Math.log1p(Math.abs(value)) + perHaze * haze + appearance + offset;
  return 1 / (1 + Math.exp(-clamp(logit, -50, 50)));
}

/** Part of the haze to take away where there is some with a probability: nothing, everything, or a smooth rise between. */
export function howMuch(probability) {
  const rise = clamp((probability - RESTORE_FROM) / (SURE_FROM - RESTORE_FROM), 0, 1);
  return rise * rise * (3 - 2 * rise);
}

function meanOfSeen({ data, height, width }, picture) {
  if (!picture.hidden) return data.reduce((sum, value) => sum + value, 0) / data.length;
  const seen = shareSeen(picture, [height, width]);
  const total = seen.reduce((sum, share) => sum + share, 0);
  return total ? data.reduce((sum, value, i) => sum + value * seen[i], 0) / total : 0;
}
