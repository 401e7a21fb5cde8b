// The page: puts its parts together. The worker computes; here it is only shown, asked for and told.

import constants from "../constants.js";
import { startChoosing } from "./choosing.js";
import { showAfter, showBefore, startComparison } from "./comparison.js";
import { ask, newest } from "./engine.js";
import { fail, forget, startNews, stoppable, tell } from "./news.js";
import { addToList, startList } from "./picture_list.js";
import { hold, offerSaving, startSaving, tellServer } from "./saving.js";
import { clear, server, ServerError } from "./server.js";
import { preferredLanguage, say, speak, store, stored } from "./texts.js";

const element = (id) => document.getElementById(id);
const controls = element("controls");
const percent = (part) => Math.round(100 * part);

let opened = null; // {name, report, ...} of the picture at hand

const open = newest(async (file) => {
  forget();
  hold(true);
  try {
    tell(() => say("starting"), 0);
    await ask("start", {}, (part) => tell(() => say("starting"), part));
    tell(() => say("looking"));
    const found = await lookedAt(file);
    if (!found) {
      addToList([{ file, path: file.name }]);
      tell(() => say("tooLargeHere", { name: file.name }));
      return;
    }
    opened = { name: file.name, ...found };
    offerSaving({ file, ...found });
    element("result").hidden = false;
    document.body.classList.add("small");
    showBefore(found.before);
    await show(asked());
    tell(() => say("seen", { ...opened, seconds: found.report.seconds.toFixed(1) }));
    element("comparison").scrollIntoView({ block: "nearest" });
  } catch (error) {
    fail(error, file.name);
  } finally {
    hold(false);
  }
});

/** What the worker finds in a file. What it cannot read the server turns into a JPEG or PNG; null if that is too large. */
async function lookedAt(file) {
  try {
    return { ...(await ask("open", { file })), shownByServer: false };
  } catch (error) {
    if (!server || !["UnreadableError", "TooLargeError"].includes(error.kind)) throw error;
    if (error.kind === "TooLargeError") return null;
  }
  const turned = await stoppable((signal) => asIs(file, signal));
  try {
    return { ...(await ask("open", { file: turned })), shownByServer: true };
  } catch (error) {
    if (["UnreadableError", "TooLargeError"].includes(error.kind)) return null;
    throw error;
  }
}

/** A file in a format that browsers read, with all of its haze: as JPEG, or as PNG if it is transparent somewhere. */
async function asIs(file, signal) {
  const as = async (format) => {
    tellServer(0);
    const { blob } = await clear(file, { strength: 0, force: false, format }, signal, tellServer);
    return new File([blob], file.name, { type: blob.type });
  };
  try {
    return await as("jpg");
  } catch (error) {
    if (!(error instanceof ServerError) || error.status !== 422) throw error;
    return as("png");
  }
}

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
  startNews();
  startComparison();
  startSaving(asked);
  if (server) startList();
  document.addEventListener("said", () => {
    element("version").textContent = say("version", constants);
    tellStrength();
    if (opened) tellReport();
  });
  await speak(language.value);
  controls.addEventListener("input", tellStrength);
  controls.addEventListener("input", (event) => {
    if (opened && !element("saving").contains(event.target)) show(asked()).catch(fail);
  });
  controls.addEventListener("submit", (event) => event.preventDefault());
  startChoosing({ open, list: addToList, refuse: () => fail({ kind: "NoPicture" }) });
  element("token-row").hidden = !server?.token;
  element("not-started").remove();
  element("started").hidden = false;
  keepForOffline();
}

start();
