// Sends the form's picture to the service and shows what comes back.
const find = (id) => document.getElementById(id);

find("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = new FormData();
  body.set("image", find("image").files[0]);
  find("fault").hidden = true;
  try {
    const answer = await fetch(new URL(find("preset").value, find("form").action), { method: "POST", body });
    if (!answer.ok) throw new Error((await answer.json()).detail);
    URL.revokeObjectURL(find("result").src);
    find("result").src = URL.createObjectURL(await answer.blob());
    find("result").hidden = false;
    find("timing").textContent = answer.headers.get("Server-Timing") ?? "";
  } catch (error) {
    find("fault").textContent = error.message;
    find("fault").hidden = false;
  }
});
