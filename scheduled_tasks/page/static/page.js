"use strict";
// What the page can do only with a script: copy a command. Everything can be read without.
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
