/** The same request for other programs: curl, Python, JavaScript. */

import { storedKey } from "./api.js";

const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** Give the request in the three languages. */
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
    `-F image=@${quote(fileName)}`,
    `-F spec=${quote(JSON.stringify(spec))}`,
    "-o result.png",
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
    ...(key ? ['        headers={"X-API-Key": os.environ["CONVSERVE_KEY"]},'] : []),
    "    )",
    "response.raise_for_status()",
    'with open("result.png", "wb") as result:',
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
    ...(key ? ['  headers: { "X-API-Key": key },'] : []),
    "  body,",
    "});",
    "if (!response.ok) throw new Error((await response.json()).detail);",
    "const png = await response.blob();",
  ].join("\n");
}

/** Write a text as Python does: JSON's escapes are Python's, too. */
const pythonText = (text) => JSON.stringify(text);
