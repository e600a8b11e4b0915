// Two versions of the files beside each other, loaded only when they meet.
import { MergeView } from "@codemirror/merge";
import { EditorState } from "@codemirror/state";
import { EditorView, lineNumbers } from "@codemirror/view";
import { highlighting, languageOf, looks, nonce } from "./editor.js";
import { askBy } from "./files.js";
import { say } from "./words.js";

/**
 * @param {Record<string, string>} mine  @param {Record<string, string>} theirs  @param {{path: string, language: string}[]} files
 * @returns {Promise<"mine" | "theirs" | "">}
 */
export async function chooseVersion(mine, theirs, files) {
  const dialog = document.getElementById("dialog-conflict");
  const place = dialog.querySelector("[data-merge]");
  const tabs = dialog.querySelector("[data-conflict-files]");
  const paths = Object.keys(mine);
  let view = null;

  function show(path) {
    view?.destroy();
    const side = (text, label) => ({
      doc: text,
      extensions: [lineNumbers(), highlighting, looks, nonce(), EditorState.readOnly.of(true), EditorView.editable.of(false), EditorView.lineWrapping,
        ...languageOf(files.find((file) => file.path === path).language), EditorView.contentAttributes.of({ "aria-label": `${path}, ${label}`, tabindex: "0" })],
    });
    view = new MergeView({ a: side(theirs[path], say("theirs")), b: side(mine[path], say("mine")), parent: place, collapseUnchanged: { margin: 3, minSize: 6 } });
    for (const tab of tabs.children) {
      tab.setAttribute("aria-selected", String(tab.dataset.path === path));
      tab.tabIndex = tab.dataset.path === path ? 0 : -1;
    }
  }

  tabs.replaceChildren(...paths.map((path) => {
    const tab = Object.assign(document.createElement("button"), { type: "button", className: "bench-tab", textContent: mine[path] === theirs[path] ? `${path} · ${say("same")}` : `${path} •` });
    tab.dataset.path = path;
    tab.setAttribute("role", "tab");
    tab.addEventListener("click", () => show(path));
    return tab;
  }));
  show(paths.find((path) => mine[path] !== theirs[path]) ?? paths[0]);
  const choice = await askBy(dialog);
  view.destroy();
  return choice;
}
