// On every page: menu, theme, language; htmx for fragments. Pages work without it, only slower.
import htmx from "htmx.org";
import "./parts/form.js";

htmx.config.allowEval = false;
htmx.config.includeIndicatorStyles = false;
htmx.config.scrollIntoViewOnBoost = false;
htmx.config.responseHandling = [{ code: "204", swap: false }, { code: "[23]..", swap: true }, { code: "[45]..", swap: false, error: true }];
document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRFToken"] = document.querySelector('meta[name="csrf-token"]').content;
});

const menu = document.querySelector(".site-menu");
const menuButton = document.querySelector(".menu-button");
menuButton?.addEventListener("click", () => {
  menuButton.setAttribute("aria-expanded", String(menu.classList.toggle("is-open")));
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && menu?.classList.contains("is-open")) {
    menu.classList.remove("is-open");
    menuButton.setAttribute("aria-expanded", "false");
    menuButton.focus();
  }
});

// Theme: system -> light -> dark; the server reads the cookie and sets it on <html>.
document.querySelector("[data-theme-button]")?.addEventListener("click", (event) => {
  event.preventDefault();
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.bsTheme || (dark ? "dark" : "light");
  const next = now === "dark" ? "light" : "dark";
  document.documentElement.dataset.bsTheme = next;
  document.cookie = `theme=${next};path=/;max-age=31536000;samesite=lax`;
  document.dispatchEvent(new CustomEvent("soty:theme", { detail: next }));
});

// Closing <details> menus on a click elsewhere and on Escape.
document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details[data-menu][open]")) if (!open.contains(event.target)) open.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const open of document.querySelectorAll("details[data-menu][open]")) {
    open.open = false;
    open.querySelector("summary").focus();
  }
});
