// What the page says of its work: what it does now, how far it is, and what went wrong.

import { askForToken, sayFault, ServerError } from "./server.js";
import { say } from "./texts.js";

const element = (id) => document.getElementById(id);
let status = () => ""; // says again what was said last, after a change of the language
let stop = null; // an AbortController of what runs now

/** Listen to the button that stops what waits for the server. */
export function startNews() {
  element("stop").addEventListener("click", () => stop?.abort());
  document.addEventListener("said", () => {
    element("status").textContent = status();
    element("fault").textContent = "";
  });
}

export function tell(line, progress = null) {
  status = line;
  element("status").textContent = line();
  element("progress").hidden = progress === null;
  if (progress !== null) element("progress").value = progress;
}

export function forget() {
  element("fault").textContent = "";
}

/** Do what takes a server, with a button that stops it; the task is given the signal. */
export async function stoppable(task) {
  stop = new AbortController();
  element("stop").hidden = false;
  try {
    return await task(stop.signal);
  } finally {
    element("stop").hidden = true;
    stop = null;
  }
}

export function fail(error, name = "") {
  const known = {
    UnreadableError: () => say("faultUnreadable", { name }),
    TooLargeError: () => say("faultTooLarge", { size: error.message }),
    NoPicture: () => say("faultNoPicture"),
    FetchingError: () => say("faultNetworks"),
  };
  if (error.name === "AbortError") return tell(() => say("stopped"));
  tell(() => "");
  if (error instanceof ServerError) {
    if (error.status === 401) askForToken();
    element("fault").textContent = sayFault(error);
  } else element("fault").textContent = (known[error.kind] ?? (() => say("faultOther", { message: error.message })))();
}
