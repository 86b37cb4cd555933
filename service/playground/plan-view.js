/** The plan: shapes and cost of each step, the chosen algorithm and the slower ones. */

import { el } from "./dom.js";
import { bytes, compact, duration, whole } from "./numbers.js";
import { bar } from "./timings.js";

/** Draw the answer of POST /v1/plan. */
export function drawPlan(root, plan) {
  const steps = plan.steps.map((step, index) => el("li", { class: "plan-step" }, ...describe(step, index)));
  const totals = [
    `${whole(plan.parameters)} parameters`,
    `${compact(plan.macs)} multiplications`,
    `at most ${bytes(plan.peak_bytes)} of memory`,
    `${plan.output.width} × ${plan.output.height} × ${plan.output.channels} ${plan.output.dtype} out`,
  ];
  root.replaceChildren(
    el("ol", { class: "plan" }, ...steps),
    el("p", { class: "totals" }, `Altogether ${totals.join(", ")}.`),
  );
}

function describe(step, index) {
  const ways = [{ algorithm: step.algorithm, seconds: step.seconds }, ...step.alternatives].map((way, place) => ({
    kind: "step",
    title: way.algorithm,
    milliseconds: way.seconds * 1000,
    mark: place ? "beaten" : "chosen",
  }));
  const most = Math.max(...ways.map(({ milliseconds }) => milliseconds));
  const facts = [
    ["shape", `${shape(step.input)} → ${shape(step.output)}`],
    ["parameters", whole(step.parameters) + (step.bias_parameters ? ` + ${whole(step.bias_parameters)} bias` : "")],
    ["multiplications", compact(step.macs)],
    ["sees", `${step.field_of_view.join(" × ")} samples`],
    ["algorithm", `${step.algorithm}, about ${duration(step.seconds)}`],
  ];
  return [
    el("h3", {}, `${index + 1}. ${step.op.replaceAll("_", " ")}`),
    el("dl", {}, ...facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
    step.alternatives.length
      ? el(
          "div",
          { class: "ways" },
          el("p", { class: "hint shown" }, "Predicted: the way chosen, and those that it beat"),
          el("ul", { class: "bars" }, ...ways.map((way) => bar(way, most))),
        )
      : null,
  ].filter(Boolean);
}

const shape = ({ width, height, channels }) => `${width} × ${height} × ${channels}`;
