/** Asks for the API key of a service that wants one; it is kept until the tab is closed. */

import { storeKey, storedKey } from "./api.js";

let asking = null;

/** Ask for a key; gives once there is one. Whoever asks meanwhile waits for the same. */
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
  dialog.oncancel = (event) => event.preventDefault(); // without a key there is nothing to do here
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
