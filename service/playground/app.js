/** The playground: connects picture, spec and answers. */

import { AnswerForm, formOf } from "./answer-form.js";
import * as api from "./api.js";
import { codeFor } from "./code.js";
import { announce, copy, el, icon, toast } from "./dom.js";
import { faultsOf } from "./faults.js";
import { Figure } from "./figure.js";
import { FrameForm } from "./frame-form.js";
import { askForKey } from "./key.js";
import { Latest } from "./latest.js";
import { bytes, duration } from "./numbers.js";
import { SAMPLES } from "./pictures.js";
import { drawPlan } from "./plan-view.js";
import { Presets } from "./presets.js";
import { ProblemBox } from "./problem-box.js";
import { decode, encode, remember } from "./share.js";
import { watchSources } from "./sources.js";
import { State } from "./state.js";
import { StepList } from "./steps.js";
import { codeTabs } from "./tabs.js";
import { wireTheme } from "./theme-button.js";
import { drawTimings } from "./timings.js";

import { makeViewer } from "./viewer-bar.js";

const START = { op: "conv", kernel: "emboss", padding: "same", padding_mode: "reflect" };
const IDENTITY = { op: "conv", kernel: [[1]] };
const REMEMBER_AFTER = 250; // browsers limit how often a URL may change

const find = (selector) => document.querySelector(selector);
const state = new State();
const viewer = makeViewer(find("#viewer"));
new AnswerForm(find("#viewer"), state);
const problems = new ProblemBox(find("#problem"));
const figure = new Figure(find("#figure"));
const filtering = new Latest(filter);
const planning = new Latest(plan);
let picture = null;
let previews = null;
let steps = null;
let frame = null;
let codes = null;
let remembering = 0;
let last = { asked: "", planned: false };

wireTheme(find("#theme"));
watchSources(take, toast);
dressButtons();
start();

async function start() {
  const sample = SAMPLES[0].make().catch(() => null);
  const lists = await withKey(() => api.catalogue());
  steps = new StepList(find("#steps"), state, lists);
  frame = new FrameForm(find("#frame"), state);
  previews = new Presets(find("#presets"), lists.presets, (preset) => choose(preset));
  codes = codeTabs(
    ["curl", "Python", "JavaScript"],
    "Language",
    el("button", { type: "button", class: "quiet", onclick: copyCode }, icon("copy"), "Copy"),
  );
  find("#code").replaceChildren(codes.node);
  state.subscribe(changed);
  open();
  addEventListener("hashchange", open);
  const blob = await sample;
  if (!picture && blob) take({ blob, name: SAMPLES[0].file, sample: SAMPLES[0].name });
  else if (picture) take(picture);
  document.documentElement.dataset.ready = "true";
}

/** Take the spec from the URL, or begin with a default one. */
function open() {
  let spec = null;
  try {
    spec = decode(location.hash);
  } catch {
    toast("The link is damaged: its settings cannot be read.");
  }
  state.load(spec ?? START);
}

function choose(preset) {
  state.load(preset.spec);
  announce(`Preset ${preset.name}: ${preset.summary}`);
}

/** React to a change of the spec; the open step matters only to the figure. */
function changed() {
  const asked = JSON.stringify(state.spec());
  if (asked === last.asked) {
    if (last.planned) figure.show(state.steps[state.current]);
    return;
  }
  last = { asked, planned: false };
  filtering.ask();
  if (picture?.image) planning.ask();
  codes.show(codeFor(state.shortSpec(), picture?.name ?? "photo.jpg"));
  clearTimeout(remembering);
  remembering = setTimeout(() => remember(state.shortSpec()), REMEMBER_AFTER);
}

/** Switch to another picture. */
async function take(next) {
  picture = next;
  find("#sample").value = next.sample ?? "";
  find("#picture-name").textContent = next.name;
  find("#picture-facts").textContent = "";
  if (!steps) return; // start() will do it
  problems.clear();
  filtering.ask();
  try {
    next.bitmap = await decodePicture(next.blob);
    if (picture !== next) return;
    viewer.show({ before: next.bitmap, after: null });
    next.image = await withKey(() => api.describe(next.blob));
    if (picture !== next) return;
    const { width, height, channels, dtype } = next.image;
    find("#picture-facts").textContent = `${width} × ${height} × ${channels}, ${dtype}, ${bytes(next.blob.size)}`;
    planning.ask();
    codes.show(codeFor(state.shortSpec(), next.name));
    previews.show(next.bitmap);
  } catch (error) {
    if (picture === next && error instanceof api.Problem) refuse(error);
  }
}

/** Decode a picture here, or with the service if the browser does not know the format. */
async function decodePicture(blob) {
  try {
    return await createImageBitmap(blob);
  } catch (error) {
    if (blob.type === "image/png") throw error;
    const shown = await api.filter(blob, { steps: [IDENTITY], output: { dtype: "uint8" } });
    return createImageBitmap(shown.blob);
  }
}

async function filter(signal) {
  if (!picture) return;
  if (!state.steps.length) {
    viewer.show({ after: picture.bitmap ?? null });
    problems.clear();
    return;
  }
  const working = picture;
  busy(true);
  try {
    const answer = await api.filter(working.blob, state.spec(), signal);
    const bitmap = await decodePicture(answer.blob).catch(() => null);
    const compiled = await api.compiledShare();
    if (signal.aborted || picture !== working) return;
    present(answer, bitmap, compiled);
  } catch (error) {
    if (!(error instanceof api.Problem)) throw error;
    if (!signal.aborted) refuse(error);
  } finally {
    if (!signal.aborted) busy(false);
  }
}

function present(answer, bitmap, compiled) {
  viewer.show({ before: picture.bitmap, after: bitmap });
  problems.clear();
  place([]);
  find("#viewer").removeAttribute("data-stale");
  drawTimings(find("#timings"), answer, compiled);
  const total = answer.parts.find(({ name }) => name === "total")?.milliseconds ?? 0;
  const size = bitmap ? `${bitmap.width} × ${bitmap.height}` : "too large to be shown here";
  const facts = `${size}, ${bytes(answer.blob.size)}, ${duration(total / 1000)}`;
  find("#result-facts").textContent = facts;
  announce(`Result: ${facts}`);
  offer(answer.blob);
}

function offer(blob) {
  const link = find("#download");
  const { name, suffix } = formOf(blob.type);
  find("#form-name").textContent = name;
  URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(blob);
  link.download = `${picture.name.replace(/\.[^.]*$/, "")}-filtered.${suffix}`;
}

async function plan(signal) {
  if (!picture.image) return; // asked again once the picture is known
  const root = find("#plan");
  if (!state.steps.length) {
    root.replaceChildren(el("p", { class: "hint shown" }, "Nothing to plan."));
    figure.show(null);
    return;
  }
  try {
    const answer = await api.plan(state.spec(), picture.image, signal);
    if (signal.aborted) return;
    drawPlan(root, answer);
    last.planned = true;
    figure.show(state.steps[state.current]);
  } catch (error) {
    if (!(error instanceof api.Problem)) throw error;
    if (signal.aborted) return;
    root.replaceChildren(el("p", { class: "hint shown" }, "There is no plan for a spec that is refused."));
    figure.show(null);
  }
}

/** Show a refusal in words, and at each field that it points to. */
function refuse(problem) {
  if (problem.status === 401) {
    askForKey().then(() => filtering.ask());
    return;
  }
  const faults = faultsOf(problem);
  place(faults);
  problems.show(problem, faults, (fault) => (fault.step === null ? frame.reveal(fault) : steps.reveal(fault)));
  find("#viewer").dataset.stale = "true";
  if (problem.retryAfter) filtering.ask(problem.retryAfter * 1000);
}

function place(faults) {
  steps.mark(faults.filter(({ step }) => step !== null));
  frame.mark(faults.filter(({ step }) => step === null));
}

/** Run an action; ask for a key as long as the service requires one. */
async function withKey(action) {
  for (;;) {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      if (error.status !== 401) {
        refuseEarly(error);
        throw error;
      }
      await askForKey();
    }
  }
}

function refuseEarly(problem) {
  if (!steps) problems.show(problem, [], () => {});
}

function busy(working) {
  find("#viewer").toggleAttribute("data-busy", working);
}

function dressButtons() {
  for (const button of document.querySelectorAll("[data-icon]")) button.prepend(icon(button.dataset.icon));
  find("#share").addEventListener("click", share);
}

async function share() {
  const link = new URL(encode(state.shortSpec()), location.href).href;
  history.replaceState(null, "", link);
  if (await copy(link, "Link")) return;
  const dialog = find("#share-dialog");
  dialog.querySelector("input").value = link;
  dialog.showModal();
  dialog.querySelector("input").select();
}

async function copyCode() {
  if (!(await copy(codes.text(), "Request"))) toast("The browser does not allow copying here.");
}
