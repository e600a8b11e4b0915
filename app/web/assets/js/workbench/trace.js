// The messages of a failed check: one connection, or all.
document.addEventListener("change", (event) => {
  const choice = event.target.closest("[data-trace-filter]");
  for (const row of choice?.closest(".trace").querySelectorAll("[data-edge]") ?? []) row.hidden = Boolean(choice.value) && row.dataset.edge !== choice.value;
});
