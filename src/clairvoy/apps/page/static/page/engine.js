// The other side of worker.js: a promise for each task.

const worker = new Worker(new URL("../worker.js", import.meta.url), { type: "module" });
const waiting = new Map();
let count = 0;

worker.onmessage = ({ data: { id, done, error, progress } }) => {
  const { resolve, reject, tell } = waiting.get(id);
  if (progress !== undefined) return tell(progress);
  waiting.delete(id);
  if (error) reject(Object.assign(new Error(error.message), { kind: error.kind }));
  else resolve(done);
};
worker.onerror = (event) => {
  for (const { reject } of waiting.values()) reject(new Error(event.message ?? "worker"));
  waiting.clear();
};

/** Give the worker a task; gives its answer, and tells its progress in [0, 1]. */
export function ask(task, values = {}, tell = () => {}) {
  return new Promise((resolve, reject) => {
    waiting.set(++count, { resolve, reject, tell });
    worker.postMessage({ task, id: count, ...values });
  });
}

/** A function that does a task with the newest values only: while one runs, those in between are passed over. */
export function newest(task) {
  let running = false, next = null;
  return async (values) => {
    next = values;
    if (running) return;
    running = true;
    try {
      while (next) {
        const now = next;
        next = null;
        await task(now);
      }
    } finally {
      running = false;
    }
  };
}
