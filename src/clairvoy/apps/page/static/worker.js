// The worker: holds the picture at hand and computes all that the page shows and saves, so that the page never waits.
//
// It is sent {task, id, ...} and answers {id, done}, {id, error: {kind, message}} or, meanwhile, {id, progress}.

import { decoded, reduced } from "./imaging/decoding.js";
import { jpegOf } from "./imaging/jpeg.js";
import { bitsOf, metadataOf, upright } from "./imaging/metadata.js";
import { pngOf } from "./imaging/png.js";
import constants from "./constants.js";
import { howMuch, look } from "./restoring/dehazer.js";
import { Engine } from "./restoring/engine.js";
import { opticalDepth, reading, restore } from "./restoring/full_resolution.js";
import { enlarged } from "./restoring/resampling.js";

const SHOWN = 2e6; // pixels of the picture that is looked at on the page
const STRIP = 1 << 19; // pixels that are restored at a time for a file

let engine = null; // a promise of it
let opened = null; // the picture at hand

const TASKS = { start, open, show, save };

onmessage = async ({ data: { task, id, ...asked } }) => {
  try {
    const done = await TASKS[task](asked, (progress) => postMessage({ id, progress }));
    postMessage({ id, done });
  } catch (error) {
    postMessage({ id, error: { kind: error.constructor.name, message: String(error.message ?? error) } });
  }
};

/** Fetch the networks. */
async function start(_, tell) {
  engine ??= Engine.load(tell).catch((error) => { engine = null; throw error; });
  await engine;
}

/** Read a file and look at it; gives its size, what was found, and the picture to show. Until then the one before stays. */
async function open({ file }, tell) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const { exif, icc } = await metadataOf(bytes);
  const picture = await decoded(file);
  await start({}, tell);
  const begun = performance.now();
  const seen = await look(await engine, picture);
  const shown = await reduced(picture, SHOWN);
  const count = shown.width * shown.height;
  const depths = { seen: new Float32Array(count), bent: new Float32Array(count) };
  opticalDepth(shown.pixels, 0, reading(seen.grid, shown.height, shown.width), depths.seen);
  opticalDepth(shown.pixels, 0, reading(seen.bent, shown.height, shown.width), depths.bent);
  opened = { file, picture, seen, shown, depths, metadata: { exif: exif && upright(exif), icc } };
  return {
    width: picture.width, height: picture.height, opaque: picture.opaque, bits: bitsOf(bytes),
    report: { ...seen.report, seconds: (performance.now() - begun) / 1000 },
    before: new ImageData(shown.pixels.slice(), shown.width, shown.height),
  };
}

/** What lies right of the slider: the restored picture, or a map of haze or confidence, as ImageData. */
function show({ layer, strength, force }) {
  const { shown, depths, seen } = opened;
  const out = new ImageData(shown.width, shown.height);
  if (layer === "restored") restore(shown.pixels, depths.bent, amount(strength, force), seen.airlight, out.data);
  else if (layer === "haze") paint(out.data, shown.pixels, constants.colours.haze, (i) => 1 - Math.exp(-depths.seen[i]));
  else {
    const tau = enlarged(seen.tauMap, shown.height, shown.width).data;
    paint(out.data, shown.pixels, constants.colours.confidence, (i) => tau[i]);
  }
  return { image: out, amount: amount(strength, force) };
}

const amount = (strength, force) => strength * (force ? 1 : howMuch(opened.seen.report.probability));

function paint(out, pixels, ramp, valueOf) {
  for (let i = 0, at = 0; at < out.length; i++, at += 4) {
    const colour = ramp[Math.round(255 * Math.min(1, Math.max(0, valueOf(i))))];
    out[at] = colour[0];
    out[at + 1] = colour[1];
    out[at + 2] = colour[2];
    out[at + 3] = pixels[at + 3];
  }
}

const TYPES = { png: "image/png", jpg: "image/jpeg" };

/** The restored picture at full size, as a file; where nothing is taken away and the format is its own, the file itself. */
async function save({ format, strength, force }, tell) {
  const { file, picture, metadata } = opened;
  const much = amount(strength, force);
  if (!much && file.type === TYPES[format]) return file;
  const strips = restoredStrips(much, tell);
  if (format === "png") return pngOf(strips, picture.width, picture.height, picture.opaque, metadata);
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  let top = 0;
  for await (const pixels of strips) {
    const strip = new ImageData(new Uint8ClampedArray(pixels.buffer), picture.width);
    context.putImageData(strip, 0, top);
    top += strip.height;
  }
  return jpegOf(canvas, metadata);
}

async function* restoredStrips(much, tell) {
  const { picture: { pixels, width, height }, seen } = opened;
  const read = reading(seen.bent, height, width);
  const rows = Math.max(1, Math.floor(STRIP / width));
  for (let top = 0; top < height; top += rows) {
    const strip = pixels.subarray(4 * top * width, 4 * Math.min(height, top + rows) * width);
    const out = new Uint8ClampedArray(strip.length);
    if (much) {
      const depth = new Float32Array(strip.length / 4);
      opticalDepth(strip, top, read, depth);
      restore(strip, depth, much, seen.airlight, out);
    } else out.set(strip);
    tell(Math.min(1, (top + rows) / height));
    yield out;
  }
}
