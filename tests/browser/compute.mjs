// Calls functions of the page for the tests: `node compute.mjs SITE NAME`, arguments as JSON on stdin, the answer on stdout.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [site, name] = process.argv.slice(2);
const given = JSON.parse(readFileSync(0, "utf8"));
const load = (file) => import(pathToFileURL(`${site}/${file}`));

const picture = ({ pixels, width, height }) => ({
  pixels: Uint8ClampedArray.from(pixels), width, height, hidden: pixels.some((value, i) => i % 4 === 3 && !value),
});
const planes = ({ data, shape: [channels, height, width] }) => ({ data: Float32Array.from(data), channels, height, width });
const numbers = ({ data }) => Array.from(data);

const CALLS = {
  async rounded({ values }) {
    const { halfEven } = await load("rounding.js");
    return values.map(halfEven);
  },
  async workingSizes({ sizes }) {
    const { workingSize } = await load("restoring/planes.js");
    return sizes.map(([height, width]) => workingSize(height, width));
  },
  async small({ of, size }) {
    const { small } = await load("restoring/planes.js");
    return numbers(small(picture(of), size));
  },
  async noise({ of }) {
    const { noiseLevel } = await load("restoring/noise.js");
    return noiseLevel(picture(of));
  },
  async bent({ grid, shown, airlight, level }) {
    const { withinNoise, withinSignal } = await load("restoring/noise.js");
    return numbers(withinNoise(withinSignal(planes(grid), planes(shown), airlight), level));
  },
  async airlight({ grid, shown, airlight }) {
    const { withoutCast } = await load("restoring/cast.js");
    return Array.from(withoutCast(airlight, planes(shown), planes(grid)));
  },
  async restored({ of, grid, airlight, amount, rows }) {
    const { opticalDepth, reading, restore } = await load("restoring/full_resolution.js");
    const { pixels, width, height } = picture(of);
    const read = reading(planes(grid), height, width);
    const out = new Uint8ClampedArray(pixels.length), depths = [];
    for (let top = 0; top < height; top += rows) {
      const part = [4 * top * width, 4 * Math.min(height, top + rows) * width];
      const depth = new Float32Array((part[1] - part[0]) / 4);
      opticalDepth(pixels.subarray(...part), top, read, depth);
      restore(pixels.subarray(...part), depth, amount, airlight, out.subarray(...part));
      depths.push(...depth);
    }
    return { pixels: Array.from(out), depth: depths };
  },
  async search({ thumbnail, maps, weights }) {
    const { poolBeliefs, search } = await load("searching/explore.js");
    const beliefs = poolBeliefs(Object.fromEntries(Object.entries(maps).map(([key, map]) => [key, planes(map)])));
    const seen = [];
    const agent = (observation) => {
      const all = ["window", "belief", "memory", "position", "guides"].flatMap((key) => Array.from(observation[key]));
      seen.push(all);
      return weights.map((row) => row.reduce((sum, weight, i) => sum + weight * all[i], 0));
    };
    return { value: await search(agent, planes(thumbnail), beliefs), beliefs: Array.from(beliefs), seen };
  },
  async probabilities({ asked }) {
    const { hazeProbability, howMuch } = await load("restoring/dehazer.js");
    const told = asked.map((one) => hazeProbability(...one));
    return told.map((probability) => [probability, howMuch(probability)]);
  },
  async metadata({ file }) {
    const { metadataOf, upright } = await load("imaging/metadata.js");
    const { exif, icc } = await metadataOf(Uint8Array.from(file));
    return { exif: exif && Array.from(exif), icc: icc && Array.from(icc), upright: exif && Array.from(upright(exif)) };
  },
  async png({ of, opaque, exif, icc, rows }) {
    const { pngOf } = await load("imaging/png.js");
    const { pixels, width, height } = picture(of);
    async function* strips() {
      for (let top = 0; top < height; top += rows) yield pixels.subarray(4 * top * width, 4 * (top + rows) * width);
    }
    const blob = await pngOf(strips(), width, height, opaque, { exif: Uint8Array.from(exif), icc: Uint8Array.from(icc) });
    return Array.from(new Uint8Array(await blob.arrayBuffer()));
  },
  async zip({ files }) {
    const { zipOf } = await load("page/zip.js");
    const blob = await zipOf(files.map(({ name, bytes }) => ({ name, blob: new Blob([Uint8Array.from(bytes)]) })));
    return Array.from(new Uint8Array(await blob.arrayBuffer()));
  },
  async zipFar({ entry, count, at }) {
    const { directoryEntry, endOf } = await load("page/zip.js");
    const directory = directoryEntry({ ...entry, name: new TextEncoder().encode(entry.name) });
    return [directory, ...endOf(count, at, directory.length)].flatMap((part) => Array.from(part));
  },
  async below({ tree }) {
    const { below } = await load("page/collecting.js");
    const entryOf = (node, place) => {
      if (node === null) return { isFile: true, fullPath: place, file: (done) => done(`file ${place}`) };
      const parts = Object.entries(node).map(([name, child]) => [entryOf(child, `${place}/${name}`)]);
      return { isFile: false, createReader: () => ({ readEntries: (done) => done(parts.shift() ?? []) }) };
    };
    return below(entryOf(tree, ""));
  },
};

process.stdout.write(JSON.stringify(await CALLS[name](given)));
