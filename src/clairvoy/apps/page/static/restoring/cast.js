// The hue of the airlight, made to agree with the densest haze that is seen; see restoring/cast.py.

import constants from "../constants.js";
import { clamp } from "../rounding.js";
import { enlarged, planes } from "./resampling.js";

const { DENSEST, LARGEST } = constants.cast;

/** The airlight (3) moved towards the hue of the densest haze in `picture`, planes (3, H, W), by optical depth `grid`. */
export function withoutCast(airlight, picture, grid) {
  const mean = planes(1, grid.height, grid.width);
  const count = grid.height * grid.width;
  for (let i = 0; i < count; i++) {
    let sum = 0;
    for (let bin = 0; bin < grid.channels; bin++) sum += grid.data[bin * count + i];
    mean.data[i] = sum / grid.channels;
  }
  const depth = enlarged(mean, picture.height, picture.width).data;
  let total = 0, behind = 0;
  const seen = [0, 0, 0];
  for (let i = 0; i < depth.length; i++) {
    const hidden = 1 - Math.exp(-depth[i]);
    const weight = hidden ** DENSEST;
    total += weight;
    behind += weight * hidden;
    for (let c = 0; c < 3; c++) seen[c] += weight * (picture.data[c * depth.length + i] - airlight[c]);
  }
  if (total < 1e-9) return airlight;
  const difference = seen.map((sum) => sum / total);
  const grey = (difference[0] + difference[1] + difference[2]) / 3;
  return Float32Array.from(difference, (value, c) =>
    clamp(airlight[c] + (behind / total) * clamp(value - grey, -LARGEST, LARGEST), 0, 1),
  );
}
