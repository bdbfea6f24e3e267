"use strict";
// What the page can do only with a script: copy a command, offer the browser's own time zone, and follow the ledger.
// Everything can be read and done without.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 2000);
});
const reveal = (root) => root.querySelectorAll("[data-copy][hidden]").forEach((button) => (button.hidden = !navigator.clipboard));
reveal(document);
document.addEventListener("htmx:load", (event) => reveal(event.detail.elt));

const own = document.querySelector("[data-browser-zone]");
if (own) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const button = own.querySelector("button");
  button.value = zone;
  button.textContent = `This browser's: ${zone}`;
  own.hidden = !zone;
}

// A screen with #live is loaded again when the ledger is not in the state that it shows, but never under a form that
// somebody fills in; again in five seconds if that failed. A browser follows again by itself after an interruption, but
// not after an answer that is an error.
const live = () => document.getElementById("live");
if (live() && window.EventSource) {
  const busy = () => document.querySelector("#live .act[open]") || getSelection().type === "Range";
  let waits = false;
  const load = () => {
    waits = busy();
    if (!waits) htmx.ajax("GET", location.href, { target: "#live", select: "#live", swap: "outerHTML" });
  };
  document.body.addEventListener("htmx:afterSettle", () => {
    const said = document.getElementById("said");
    const heading = document.querySelector("#live h1");
    if (said && heading && said.textContent !== heading.textContent.trim()) said.textContent = heading.textContent.trim();
  });
  for (const failure of ["htmx:responseError", "htmx:sendError"]) document.body.addEventListener(failure, () => (waits = true));
  let stream;
  const follow = () => {
    stream = new EventSource(`/live?state=${live().dataset.state}`);
    stream.addEventListener("changed", load);
  };
  follow();
  setInterval(() => {
    if (waits) load();
    if (stream.readyState === EventSource.CLOSED) follow();
  }, 5000);
}
