// Before and after, one over the other, with a border between them that a slider moves.

import constants from "../constants.js";
import { say } from "./texts.js";

const element = (id) => document.getElementById(id);
const LAYERS = {
  restored: { side: "restored", picture: "restoredPicture" },
  haze: { side: "hazeLayer", picture: "hazePicture", low: "hazeLow", high: "hazeHigh" },
  confidence: { side: "confidenceLayer", picture: "confidencePicture", low: "confidenceLow", high: "confidenceHigh" },
};

let layer = "restored";

/** Listen to the slider. */
export function startComparison() {
  const split = element("split");
  const move = () => {
    element("comparison").style.setProperty("--split", split.value / 100);
    split.setAttribute("aria-valuetext", say("splitValue", { percent: split.value }));
  };
  split.addEventListener("input", move);
  document.addEventListener("said", () => {
    split.setAttribute("aria-label", say("splitName"));
    element("before").setAttribute("aria-label", say("beforePicture"));
    tellLayer();
    move();
  });
}

export function showBefore(image) {
  draw(element("before"), image);
}

export function showAfter(image, newLayer) {
  layer = newLayer;
  draw(element("after"), image);
  tellLayer();
}

function draw(canvas, image) {
  if (canvas.width !== image.width || canvas.height !== image.height) {
    canvas.width = image.width;
    canvas.height = image.height;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** Names of what lies right of the slider, and the scale of its colours. */
function tellLayer() {
  const { side, picture, low, high } = LAYERS[layer];
  element("right-side").textContent = say(side);
  element("after").setAttribute("aria-label", say(picture));
  element("scale").hidden = !low;
  if (!low) return;
  element("scale-low").textContent = say(low);
  element("scale-high").textContent = say(high);
  const ramp = new ImageData(256, 1);
  constants.colours[layer].forEach((colour, i) => ramp.data.set([...colour, 255], 4 * i));
  draw(element("ramp"), ramp);
}
