// A guest's answers and finished lessons stay in this browser; with an account they move there, once.
const KEY = "soty:guest-work";

function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return { answers: kept.answers ?? {}, lessons: kept.lessons ?? [] };
  } catch {
    return { answers: {}, lessons: [] };
  }
}

function write(work) {
  try {
    localStorage.setItem(KEY, JSON.stringify(work));
  } catch {
    // A browser that keeps nothing (private window, full storage) still reads.
  }
}

async function carryOver() {
  const work = read();
  if (!Object.keys(work.answers).length && !work.lessons.length) return;
  const token = document.querySelector('meta[name="csrf-token"]').content;
  const response = await fetch("/guest-work", {
    method: "POST", body: JSON.stringify(work), headers: { "Content-Type": "application/json", "X-CSRFToken": token, Accept: "application/json" },
  });
  if (!response.ok) return;
  localStorage.removeItem(KEY);
  location.reload();
}

// Returns how to keep things, or null for a person with an account.
export function keepGuestWork(page) {
  const person = page ? "person" in page.dataset : document.querySelector('form[action$="/sign-out"]') !== null;
  if (person) {
    carryOver().catch(() => {}); // tried again on the next page
    return null;
  }
  const { lessons } = read();
  for (const entry of document.querySelectorAll("[data-lesson]")) {
    if (lessons.includes(entry.dataset.lesson)) entry.querySelector(".side-done")?.removeAttribute("hidden");
  }
  return {
    answer: (quiz) => read().answers[quiz],
    keepAnswer(quiz, answer) {
      const work = read();
      work.answers[quiz] = answer;
      write(work);
    },
    isDone: (lesson) => read().lessons.includes(lesson),
    keepDone(lesson) {
      const work = read();
      if (!work.lessons.includes(lesson)) write({ ...work, lessons: [...work.lessons, lesson] });
    },
  };
}
