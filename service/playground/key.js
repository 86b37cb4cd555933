/** Asks for the API key of a service that wants one; it is kept until the tab is closed. */

import { storeKey, storedKey } from "./api.js";

/** Ask for a key; gives once there is one. */
export function askForKey() {
  const dialog = document.querySelector("#key-dialog");
  const form = dialog.querySelector("form");
  const input = dialog.querySelector("input");
  dialog.querySelector("#key-wrong").hidden = storedKey() === null;
  input.value = "";
  dialog.oncancel = (event) => event.preventDefault(); // without a key there is nothing to do here
  dialog.showModal();
  return new Promise((resolve) => {
    const submit = (event) => {
      event.preventDefault();
      storeKey(input.value.trim());
      dialog.close();
      form.removeEventListener("submit", submit);
      resolve();
    };
    form.addEventListener("submit", submit);
  });
}
