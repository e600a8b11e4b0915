// Quizzes without leaving the page. The server judges; before an answer the page does not know which one is right.
import { say } from "./say.js";

export function liveQuizzes(page, guest) {
  for (const quiz of page.querySelectorAll(".quiz")) enliven(quiz, guest);
}

function enliven(quiz, guest) {
  const form = quiz.querySelector("form");
  if (!form) return;
  const list = form.querySelector("[data-order]");
  if (list) orderByButtons(list);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(quiz, form, new FormData(form), guest, true);
  });
  const kept = guest?.answer(quiz.dataset.quiz);
  if (kept !== undefined && !new URLSearchParams(location.search).has("again")) {
    const body = new FormData(form);
    body.set("kept", JSON.stringify(kept));
    send(quiz, form, body, guest, false);
  }
}

async function send(quiz, form, body, guest, asked) {
  const trouble = form.querySelector(".quiz-trouble");
  trouble.hidden = true;
  const response = await fetch(form.action, { method: "POST", body, headers: { "HX-Request": "true" } }).catch(() => null);
  if (!response || (!response.ok && response.status !== 422)) {
    trouble.textContent = trouble.dataset.text;
    trouble.hidden = !asked;
    return;
  }
  if (!asked && !response.ok) return;
  const holder = document.createElement("template");
  holder.innerHTML = await response.text();
  const result = holder.content.querySelector(".quiz");
  if (result.querySelector("form")) {
    showNote(form, result.querySelector(".quiz-note")?.textContent ?? "");
    return;
  }
  quiz.replaceWith(result);
  if (guest) guest.keepAnswer(result.dataset.quiz, JSON.parse(result.dataset.answer));
  result.querySelector("[data-again]").addEventListener("click", (event) => {
    event.preventDefault();
    result.replaceWith(quiz);
    quiz.querySelector("input:not([type=hidden]), select, button").focus();
  });
  if (!asked) return;
  const verdict = result.querySelector("[data-fresh]");
  verdict.focus({ preventScroll: true });
  say(verdict.textContent.trim());
}

function showNote(form, text) {
  let note = form.querySelector(".quiz-note");
  if (!note) {
    note = document.createElement("p");
    note.className = "quiz-note";
    note.setAttribute("role", "alert");
    form.querySelector(".quiz-actions").before(note);
  }
  note.textContent = text;
}

// Buttons instead of selects: the selects stay in the form and carry the places.
function orderByButtons(list) {
  list.classList.add("is-live");
  for (const item of list.children) {
    const text = item.querySelector(".option-text").textContent;
    const number = document.createElement("span");
    number.className = "option-number";
    item.prepend(number);
    const moves = document.createElement("span");
    moves.className = "option-move";
    for (const [step, sign, label] of [[-1, "↑", list.dataset.up], [1, "↓", list.dataset.down]]) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = sign;
      button.setAttribute("aria-label", label.replace("{}", text));
      button.dataset.step = step;
      button.addEventListener("click", () => move(list, item, step));
      moves.append(button);
    }
    item.append(moves);
  }
  number(list);
}

function move(list, item, step) {
  const other = step < 0 ? item.previousElementSibling : item.nextElementSibling;
  if (!other) return;
  if (step < 0) other.before(item);
  else other.after(item);
  number(list);
  item.querySelector(`[data-step="${step}"]`).focus();
  say(list.dataset.moved.replace("{}", item.querySelector("select").value));
}

function number(list) {
  const items = [...list.children];
  items.forEach((item, index) => {
    item.querySelector("select").value = String(index + 1);
    item.querySelector(".option-number").textContent = index + 1;
    item.querySelector('[data-step="-1"]').setAttribute("aria-disabled", String(index === 0));
    item.querySelector('[data-step="1"]').setAttribute("aria-disabled", String(index === items.length - 1));
  });
}
