// What changed, for people who do not see it.
export function say(text) {
  const announcer = document.getElementById("announcer");
  if (announcer) announcer.textContent = text;
}
