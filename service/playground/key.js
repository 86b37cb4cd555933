/** Ask for the API key of a service that requires one; it is kept until the tab is closed. */

import { storeKey, storedKey } from "./api.js";

let asking = null;

/** Ask for a key; resolves once there is one. Callers in the meantime wait for the same key. */
export function askForKey() {
  asking ??= ask().finally(() => (asking = null));
  return asking;
}

function ask() {
  const dialog = document.querySelector("#key-dialog");
  const form = dialog.querySelector("form");
  const input = dialog.querySelector("input");
  dialog.querySelector("#key-wrong").hidden = storedKey() === null;
  input.value = "";
  dialog.oncancel = (event) => event.preventDefault(); // nothing works without a key
  dialog.showModal();
  return new Promise((resolve) => {
    form.onsubmit = (event) => {
      event.preventDefault();
      storeKey(input.value.trim());
      dialog.close();
      resolve();
    };
  });
}
