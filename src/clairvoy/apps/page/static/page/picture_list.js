// Several pictures, restored by the server one after another: a list of them, and what became of each.

import { download, stemOf } from "./download.js";
import { askForToken, clear, ownSuffix, sayFault, ServerError, UNREACHABLE } from "./server.js";
import { say } from "./texts.js";
import { zipOf } from "./zip.js";

const element = (id) => document.getElementById(id);
const percent = (part) => Math.round(100 * part);
const WAITING = "waiting", WORKING = "working", DONE = "done", FAILED = "failed";
const UNTOUCHED = "left as it was"; // status in the server's report
const STOPPING = new Set([UNREACHABLE, 401]); // what the next picture would meet as well

const rows = []; // {file, path, state, line, item, done: {blob, name, url}}
let work = null; // an AbortController, while pictures are restored
let status = () => "";

/** Listen to what belongs to the list. */
export function startList() {
  element("list-run").addEventListener("click", () => (work ? work.abort() : run()));
  element("list-save").addEventListener("click", saveAll);
  element("list-clear").addEventListener("click", forgetAll);
  element("list-controls").addEventListener("submit", (event) => event.preventDefault());
  element("list-strength").addEventListener("input", tellStrength);
  document.addEventListener("said", () => {
    rows.forEach(show);
    tellStrength();
    tellAll();
  });
}

/** Add pictures, [{file, path}]; `others` files among them are none. Nothing is sent before somebody says so. */
export function addToList(pictures, others = 0) {
  for (const { file, path } of pictures) {
    const item = document.createElement("li");
    item.append(...["name", "state", "more"].map((kind) => Object.assign(document.createElement("span"), { className: kind })));
    const row = { file, path, item, state: WAITING, line: () => say("rowWaiting"), done: null };
    rows.push(row);
    element("list-rows").append(item);
    show(row);
  }
  element("list").hidden = false;
  status = () => say(others ? "listAddedSome" : "listAdded", { count: pictures.length, others });
  tellAll();
  element("list").scrollIntoView({ block: "nearest" });
}

const left = () => rows.filter(({ state }) => state === WAITING || state === FAILED);
const done = () => rows.filter(({ state }) => state === DONE);

async function run() {
  work = new AbortController();
  element("list-fault").textContent = "";
  for (const row of left()) change(row, WAITING, () => say("rowWaiting"));
  status = tellCounts;
  try {
    for (let row; (row = rows.find(({ state }) => state === WAITING)); ) await restore(row);
  } catch (error) {
    // What was begun is as if it were not.
    for (const row of rows) if (row.state === WORKING) change(row, WAITING, () => say("rowWaiting"));
    if (error.name === "AbortError") status = () => `${tellCounts()} ${say("stopped")}`;
    else if (error instanceof ServerError) {
      if (error.status === 401) askForToken();
      element("list-fault").textContent = sayFault(error);
    } else throw error;
  } finally {
    work = null;
    tellAll();
  }
}

async function restore(row) {
  change(row, WORKING, () => say("rowWorking"));
  tellAll();
  try {
    const busy = (seconds) => change(row, WORKING, () => (seconds ? say("serverBusy", { seconds }) : say("rowWorking")));
    const { blob, suffix, report } = await clear(row.file, wanted(), work.signal, busy);
    row.done = { blob, suffix: ownSuffix(row.path, suffix), url: URL.createObjectURL(blob) };
    const values = { probability: percent(report.haze_probability), tau: percent(report.tau) };
    change(row, DONE, () => say(report.status === UNTOUCHED ? "rowUntouched" : "rowRestored", values));
  } catch (error) {
    if (!(error instanceof ServerError) || STOPPING.has(error.status)) throw error;
    change(row, FAILED, () => sayFault(error));
  }
}

const wanted = () => ({
  strength: element("list-strength").value / 100,
  force: element("list-force").checked,
  format: element("list-format").value || null,
});

function change(row, state, line) {
  Object.assign(row, { state, line });
  show(row);
}

function show({ item, path, state, line, done }) {
  const [name, said, more] = item.children;
  item.className = state;
  name.textContent = path;
  said.textContent = line();
  if (!done) return more.replaceChildren();
  const file = `${stemOf(path.split("/").pop())}.clear${done.suffix}`;
  const link = Object.assign(document.createElement("a"), { href: done.url, download: file, textContent: say("download") });
  link.setAttribute("aria-label", `${say("download")}: ${file}`);
  more.replaceChildren(link);
}

const tellCounts = () => say("listCounts", {
  done: done().length, count: rows.length, failed: rows.filter(({ state }) => state === FAILED).length,
});

function tellAll() {
  element("list-status").textContent = status();
  element("list-run").textContent = work ? say("stop") : say("listRun", { count: left().length });
  element("list-run").disabled = !work && !left().length;
  element("list-save").disabled = Boolean(work) || !done().length;
  element("list-clear").disabled = Boolean(work);
  element("list-progress").hidden = !work;
  element("list-progress").value = rows.length ? 1 - rows.filter(({ state }) => state === WAITING).length / rows.length : 0;
}

function tellStrength() {
  element("list-strength-value").textContent = say("percent", { percent: element("list-strength").value });
}

/** All that is done as one ZIP, with the folders that it came in. */
async function saveAll() {
  const files = named(done());
  status = () => say("listPacking");
  tellAll();
  download(await zipOf(files), "clear.zip");
  status = () => say("saved", { name: "clear.zip" });
  tellAll();
}

/** Names as `clairvoy clear FOLDER -o OUT` gives them: those of the pictures, told apart where two would be the same. */
export function named(pictures) {
  const taken = new Set();
  return pictures.map(({ path, done: { blob, suffix } }) => {
    const names = [stemOf(path) + suffix, path + suffix];
    for (let i = 2; names.every((name) => taken.has(name)); i++) names.push(`${stemOf(path)} (${i})${suffix}`);
    const name = names.find((one) => !taken.has(one));
    taken.add(name);
    return { name, blob };
  });
}

function forgetAll() {
  for (const { done } of rows) if (done) URL.revokeObjectURL(done.url);
  rows.length = 0;
  element("list-rows").replaceChildren();
  element("list-fault").textContent = "";
  element("list").hidden = true;
  element("file").focus(); // the button that was pressed is gone
}
