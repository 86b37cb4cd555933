// The service that is written in an afternoon with node and sharp (libvips): `node sharp_service.cjs PORT`.
//
// `POST /filter` takes a form of `image` and `spec`, {"op": ..., "output": {"format", "quality"}}, as peer_service.py
// does. CommonJS, since NODE_PATH is not looked at for other modules.
"use strict";

const http = require("node:http");
const sharp = require("sharp");

const KERNEL_RADIUS = 4; // in sigmas, as the others cut a Gaussian
const KINDS = { png: "image/png", jpeg: "image/jpeg", webp: "image/webp" };

function parts(body, type) {
  const mark = Buffer.from(`--${/boundary="?([^";]+)/.exec(type)[1]}`);
  const found = {};
  let start = body.indexOf(mark);
  while (start >= 0) {
    const next = body.indexOf(mark, start + mark.length);
    const head = body.indexOf("\r\n\r\n", start);
    if (next < 0 || head < 0 || head > next) break;
    const name = /name="([^"]+)"/.exec(body.toString("latin1", start, head))[1];
    found[name] = body.subarray(head + 4, next - 2);
    start = next;
  }
  return found;
}

function filtered(image, spec) {
  switch (spec.op) {
    case "conv":
      return image.convolve({
        width: spec.kernel[0].length,
        height: spec.kernel.length,
        kernel: spec.kernel.flat(),
        scale: 1,
      });
    case "gaussian":
      return image.blur({
        sigma: spec.sigma,
        precision: "float",
        minAmplitude: Math.max(0.001, Math.exp((-KERNEL_RADIUS * KERNEL_RADIUS) / 2)),
      });
    default:
      throw new Error(`no operation ${spec.op}`);
  }
}

async function answer(request, response) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  const { image, spec } = parts(Buffer.concat(pieces), request.headers["content-type"]);
  const wanted = JSON.parse(spec.toString());
  const { format, quality, full_colour: full } = wanted.output ?? { format: "png" };
  const options = format === "jpeg" ? { quality, chromaSubsampling: full ? "4:4:4" : "4:2:0" } : { quality };
  const data = await filtered(sharp(image), wanted)
    .toFormat(format, format === "png" ? {} : options)
    .toBuffer();
  response.writeHead(200, { "Content-Type": KINDS[format], "Content-Length": data.length });
  response.end(data);
}

http
  .createServer((request, response) => {
    if (request.method === "GET") {
      response.writeHead(200, { "Content-Type": "application/json" });
      response.end('{"status": "ok"}');
      return;
    }
    answer(request, response).catch((error) => {
      response.writeHead(500, { "Content-Type": "text/plain" });
      response.end(String(error));
    });
  })
  .listen(Number(process.argv[2]), "127.0.0.1");
