// Edges of a picture, with Node's own fetch: node filter.mjs PICTURE RESULT
import { readFile, writeFile } from "node:fs/promises";

const url = process.env.CONVSERVE_URL ?? "http://localhost:8000";
const [picture, result] = process.argv.slice(2);

async function filter(image, spec) {
  const form = new FormData();
  form.set("image", new Blob([image]), "picture");
  form.set("spec", JSON.stringify(spec));
  const answer = await fetch(`${url}/v1/filter`, { method: "POST", body: form });
  if (!answer.ok) {
    const problem = await answer.json(); // RFC 9457: `code` for programs, `detail` for people
    throw new Error(`${problem.code}: ${problem.detail}`);
  }
  return answer;
}

const image = await readFile(picture);
const answer = await filter(image, { steps: [{ op: "grayscale" }, { op: "gradient" }] });
await writeFile(result, Buffer.from(await answer.arrayBuffer()));
console.log(answer.headers.get("server-timing"));

try {
  await filter(image, { op: "conv", kernel: [[1, 2], [3]] });
} catch (error) {
  console.log(error.message);
}
