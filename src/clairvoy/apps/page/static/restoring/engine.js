// Networks at work, by ONNX Runtime Web on one thread of the CPU; restoring/engine.py does the same by ONNX Runtime.

import constants from "../constants.js";
import * as ort from "../vendor/onnxruntime-web/ort.wasm.min.js";
import { fetched } from "./fetching.js";

const SHAPES = { window: [1, 3, 32, 32], belief: [1, 4], memory: [1, 8, 9, 9], position: [1, 8] };

export class Engine {
  /** @param tell called with what part of the files has come, in [0, 1] */
  static async load(tell = () => {}) {
    const names = ["vendor/onnxruntime-web/ort-wasm-simd-threaded.wasm.gz", "models/perception.onnx.gz", "models/agent.onnx.gz"];
    const [binary, perception, agent] = await fetched(names, tell);
    const glue = new URL("../vendor/onnxruntime-web/ort-wasm-simd-threaded.js", import.meta.url).href;
    Object.assign(ort.env.wasm, { numThreads: 1, wasmBinary: binary.buffer, wasmPaths: { mjs: glue } });
    const engine = new Engine();
    // One after the other: both start the same runtime.
    engine.perception = await ort.InferenceSession.create(perception, OPTIONS);
    engine.agent = await ort.InferenceSession.create(agent, OPTIONS);
    return engine;
  }

  /** Beliefs about a picture at its working size, planes by name; see restoring/engine.py. */
  async perceive(picture) {
    const { height, width, data } = picture;
    const tensor = (values, ...shape) => new ort.Tensor("float32", values, shape);
    const bins = constants.bins, cells = (height * width) / 4;
    const seen = await this.perception.run({
      picture: tensor(data, 1, 3, height, width),
      others_grid: tensor(new Float32Array(bins * cells), 1, bins, height / 2, width / 2),
      others_airlight: tensor(new Float32Array(3), 1, 3),
      others_share: tensor(new Float32Array(1)),
    });
    const asPlanes = ({ data: numbers, dims }) => ({ data: numbers, channels: dims[1], height: dims[2], width: dims[3] });
    const maps = ["grid", "haze", "spread", "clear", "tau_map"].map((name) => [name, asPlanes(seen[name])]);
    return { ...Object.fromEntries(maps), airlight: seen.airlight.data, tau: seen.tau.data[0], tauDb: seen.tau_db.data[0], appearance: seen.appearance.data[0] };
  }

  /** The agent's values of right, left, up, down and stay. */
  async values(observation) {
    const inputs = Object.entries(observation).map(([name, numbers]) => {
      const pixels = name === "window";
      const shape = SHAPES[name] ?? [1, numbers.length];
      return [name, new ort.Tensor(pixels ? "uint8" : "float32", pixels ? numbers : Float32Array.from(numbers), shape)];
    });
    return Array.from((await this.agent.run(Object.fromEntries(inputs))).values.data);
  }
}

const OPTIONS = { executionProviders: ["wasm"], enableCpuMemArena: false, enableMemPattern: false };
