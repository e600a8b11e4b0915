import "./workbench/trace.js";

// Users: the button beside a select appears once another value is chosen; without scripts it is always there.
for (const select of document.querySelectorAll("[data-shows-button]")) {
  const button = select.form.querySelector("button");
  const before = select.value;
  const look = () => { button.hidden = select.value === before; };
  select.addEventListener("change", look);
  look();
}
