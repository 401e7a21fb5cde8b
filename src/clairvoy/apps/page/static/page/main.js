// The page: puts its parts together. The worker computes; here it is only shown, asked for and told.

import constants from "../constants.js";
import { startChoosing } from "./choosing.js";
import { showAfter, showBefore, startComparison } from "./comparison.js";
import { ask, newest } from "./engine.js";
import { preferredLanguage, say, speak, store, stored } from "./texts.js";

const element = (id) => document.getElementById(id);
const controls = element("controls");
const percent = (part) => Math.round(100 * part);

let opened = null; // {name, format, report, ...} of the picture at hand
let status = () => ""; // says again what was said last, after a change of the language

function tell(line, progress = null) {
  status = line;
  element("status").textContent = line();
  element("progress").hidden = progress === null;
  if (progress !== null) element("progress").value = progress;
}

function fail(error, name = "") {
  const known = {
    UnreadableError: () => say("faultUnreadable", { name }),
    TooLargeError: () => say("faultTooLarge", { size: error.message }),
    NoPicture: () => say("faultNoPicture"),
    FetchingError: () => say("faultNetworks"),
  };
  tell(() => "");
  element("fault").textContent = (known[error.kind] ?? (() => say("faultOther", { message: error.message })))();
}

const open = newest(async (file) => {
  element("fault").textContent = "";
  element("save").disabled = true;
  try {
    tell(() => say("starting"), 0);
    await ask("start", {}, (part) => tell(() => say("starting"), part));
    tell(() => say("looking"));
    const found = await ask("open", { file });
    opened = { name: file.name, ...found };
    const format = element("format");
    format.value = found.opaque && file.type === "image/jpeg" ? "jpg" : "png";
    format.querySelector("[value=jpg]").disabled = !found.opaque; // JPEG knows no transparency
    element("result").hidden = false;
    document.body.classList.add("small");
    showBefore(found.before);
    await show(asked());
    tell(() => say("seen", { ...opened, seconds: found.report.seconds.toFixed(1) }));
    element("comparison").scrollIntoView({ block: "nearest" });
  } catch (error) {
    fail(error, file.name);
  } finally {
    element("save").disabled = !opened;
  }
});

const show = newest(async (wanted) => {
  const { image, amount } = await ask("show", wanted);
  showAfter(image, wanted.layer);
  opened.amount = amount;
  tellReport();
});

const asked = () => ({
  layer: controls.elements.layer.value,
  strength: element("strength").value / 100,
  force: element("force").checked,
});

function tellReport() {
  const { probability, tau, tauDb, haze } = opened.report;
  element("probability").textContent = say("percent", { percent: percent(probability) });
  element("tau").textContent = say("tauValue", { percent: percent(tau), db: Math.round(tauDb) });
  element("haze").textContent = say("percent", { percent: percent(haze) });
  const { strength, force } = asked();
  const part = strength ? opened.amount / strength : 1; // what recognition allows to take away
  const { RESTORE_FROM, SURE_FROM } = constants.dehazer;
  let verdict = "verdictAll";
  if (force && probability < SURE_FROM) verdict = "verdictForced";
  else if (probability < RESTORE_FROM) verdict = "verdictNone";
  else if (part < 0.995) verdict = part < 0.5 ? "verdictPart" : "verdictMost";
  element("verdict").textContent = say(verdict, { percent: percent(part) });
}

function tellStrength() {
  element("strength-value").textContent = say("percent", { percent: element("strength").value });
}

async function save() {
  const button = element("save"), focused = document.activeElement === button;
  element("fault").textContent = "";
  button.disabled = true;
  try {
    tell(() => say("saving"), 0);
    const format = element("format").value;
    const blob = await ask("save", { format, ...asked() }, (part) => tell(() => say("saving"), part));
    const name = `${opened.name.replace(/\.[^.]*$/, "")}.clear.${format}`;
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    tell(() => say("saved", { name }));
  } catch (error) {
    fail(error);
  } finally {
    button.disabled = false;
    if (focused) button.focus(); // a button that is disabled loses the focus
  }
}

async function keepForOffline() {
  if (!("serviceWorker" in navigator)) return;
  try {
    await navigator.serviceWorker.register("service-worker.js");
    await navigator.serviceWorker.ready;
    element("offline").hidden = false;
  } catch {
    // Only hosts with https, and this computer, may keep a page. It works without.
  }
}

async function start() {
  const language = element("language"), theme = element("theme");
  language.value = preferredLanguage();
  language.addEventListener("change", () => {
    store("language", language.value);
    speak(language.value);
  });
  theme.value = stored("theme") ?? "";
  const dress = () => (document.documentElement.dataset.theme = theme.value);
  theme.addEventListener("change", () => {
    store("theme", theme.value);
    dress();
  });
  dress();
  startComparison();
  document.addEventListener("said", () => {
    element("status").textContent = status();
    element("fault").textContent = "";
    element("version").textContent = say("version", constants);
    tellStrength();
    if (opened) tellReport();
  });
  await speak(language.value);
  controls.addEventListener("input", tellStrength);
  controls.addEventListener("input", (event) => {
    if (opened && event.target !== element("format")) show(asked()).catch(fail);
  });
  controls.addEventListener("submit", (event) => event.preventDefault());
  element("save").addEventListener("click", save);
  startChoosing(open, () => fail({ kind: "NoPicture" }));
  element("not-started").remove();
  element("started").hidden = false;
  keepForOffline();
}

start();
