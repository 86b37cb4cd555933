/** Write the same request for other programs: curl, Python, JavaScript. */

import { formOf, mediaType } from "./answer-form.js";
import { storedKey } from "./api.js";

const PNG = "image/png";
const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** Return the request in the three languages. */
export function codeFor(spec, fileName) {
  const address = new URL("v1/filter", document.baseURI).href;
  const key = storedKey() !== null;
  return {
    curl: curl(address, spec, fileName, key),
    Python: python(address, spec, fileName, key),
    JavaScript: javascript(address, spec, key),
  };
}

function curl(address, spec, fileName, key) {
  const lines = [
    `curl ${quote(address)}`,
    ...(key ? ['-H "X-API-Key: $CONVSERVE_KEY"'] : []),
    ...(mediaType(spec) === PNG ? [] : [`-H 'Accept: ${mediaType(spec)}'`]),
    `-F image=@${quote(fileName)}`,
    `-F spec=${quote(JSON.stringify(spec))}`,
    `-o ${resultName(spec)}`,
  ];
  return lines.join(" \\\n  ");
}

function python(address, spec, fileName, key) {
  return [
    "import json",
    ...(key ? ["import os"] : []),
    "import httpx",
    "",
    `spec = json.loads(${pythonText(JSON.stringify(spec))})`,
    `with open(${pythonText(fileName)}, "rb") as picture:`,
    "    response = httpx.post(",
    `        ${pythonText(address)},`,
    `        files={"image": picture}, data={"spec": json.dumps(spec)},`,
    ...pythonHeaders(spec, key),
    "    )",
    "response.raise_for_status()",
    `with open("${resultName(spec)}", "wb") as result:`,
    "    result.write(response.content)",
  ].join("\n");
}

function javascript(address, spec, key) {
  return [
    "// picture: a File or Blob",
    "const body = new FormData();",
    'body.append("image", picture);',
    `body.append("spec", JSON.stringify(${JSON.stringify(spec)}));`,
    `const response = await fetch(${JSON.stringify(address)}, {`,
    '  method: "POST",',
    ...javascriptHeaders(spec, key),
    "  body,",
    "});",
    "if (!response.ok) throw new Error((await response.json()).detail);",
    `const ${formOf(mediaType(spec)).suffix} = await response.blob();`,
  ].join("\n");
}

const resultName = (spec) => `result.${formOf(mediaType(spec)).suffix}`;

function pythonHeaders(spec, key) {
  const accept = mediaType(spec) === PNG ? [] : [`"Accept": "${mediaType(spec)}"`];
  const all = [...accept, ...(key ? ['"X-API-Key": os.environ["CONVSERVE_KEY"]'] : [])];
  return all.length ? [`        headers={${all.join(", ")}},`] : [];
}

function javascriptHeaders(spec, key) {
  const accept = mediaType(spec) === PNG ? [] : [`Accept: "${mediaType(spec)}"`];
  const all = [...accept, ...(key ? ['"X-API-Key": key'] : [])];
  return all.length ? [`  headers: { ${all.join(", ")} },`] : [];
}

/** Write a text as Python does: JSON's escapes are valid in Python too. */
const pythonText = (text) => JSON.stringify(text);
