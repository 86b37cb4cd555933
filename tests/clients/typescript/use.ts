// A filter, a plan, a figure and a refusal, with the types that openapi-typescript made of the service's own document.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

declare const process: { argv: string[] };

type Spec = components["schemas"]["Spec"];

const [url, image] = process.argv.slice(2) as [string, string];
const client = createClient<paths>({ baseUrl: url, headers: { Accept: "application/json" } });

const blur: Spec = { op: "blur", sigma: 2 };
const chain: Spec = {
  steps: [
    { op: "conv", kernel: { name: "gaussian", sigma: 1.5 }, padding: "same" },
    { op: "conv", kernel: [[-1, 0, 1]], padding: { top: 0, bottom: 0, left: 1, right: 1 }, bias: 16 },
    { op: "upscale" },
  ],
};
const planned: Spec = { op: "conv", weight: { shape: [32, 16, 3, 3] }, stride: [2, 2], padding: 1 };

const filtered = await client.POST("/v1/filter", { body: { image, spec: chain } });
if (!filtered.data || typeof filtered.data === "string") throw new Error(filtered.error?.detail);

const preset = await client.POST("/v1/filters/{preset}", { params: { path: { preset: "sobel" } }, body: { image } });
if (!preset.data || typeof preset.data === "string") throw new Error(preset.error?.detail);

const plan = await client.POST("/v1/plan", {
  body: { spec: planned, image: { width: 64, height: 48, channels: 16, dtype: "float32" } },
});
if (!plan.data) throw new Error(plan.error?.detail);
const parameters: number | undefined = plan.data.steps[0]?.parameters;

const figure = await client.POST("/v1/figure", {
  params: { query: { animate: false } },
  body: { spec: { op: "conv", kernel: { shape: [3, 3] } }, image: { width: 5, height: 5 } },
  headers: { Accept: "image/svg+xml" },
  parseAs: "text",
});
if (!figure.data) throw new Error(figure.error?.detail);

// @ts-expect-error: there is no such field
const misspelt: Spec = { op: "blur", sigmas: 2 };
const refused = await client.POST("/v1/filter", { body: { image, spec: misspelt } });

const kernels = await client.GET("/v1/kernels");

console.log(
  JSON.stringify({
    filter: { ...filtered.data.image, steps: filtered.data.plan.steps.length },
    preset: preset.data.image.media_type,
    plan: parameters,
    figure: figure.data.slice(0, 4),
    refusal: { code: refused.error?.code, pointer: refused.error?.errors?.[0]?.pointer },
    kernels: kernels.data?.length,
    blur: blur.op,
  }),
);
