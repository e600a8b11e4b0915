// CodeMirror 6 in our colours: one view, one document per file. Esc then Tab leaves it; read-only files say so.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentLess, insertTab } from "@codemirror/commands";
import { python } from "@codemirror/lang-python";
import { sql } from "@codemirror/lang-sql";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, HighlightStyle, indentOnInput, indentUnit, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { protobuf } from "@codemirror/legacy-modes/mode/protobuf";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";

export const highlighting = syntaxHighlighting(HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier, tags.self], color: "var(--code-keyword)" },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: "var(--code-number)" },
  { tag: [tags.comment, tags.docComment], color: "var(--code-comment)", fontStyle: "italic" },
  { tag: [tags.function(tags.variableName), tags.function(tags.definition(tags.variableName)), tags.function(tags.propertyName)], color: "var(--code-function)" },
  { tag: [tags.typeName, tags.className, tags.namespace, tags.definition(tags.className)], color: "var(--code-type)" },
  { tag: [tags.meta, tags.annotation], color: "var(--code-decorator)" },
]));

export const looks = EditorView.theme({
  "&": { height: "100%", backgroundColor: "var(--surface)", color: "var(--ink)", fontSize: "0.8125rem" },
  ".cm-scroller": { fontFamily: "var(--bs-font-monospace)", lineHeight: "1.54" },
  ".cm-content": { caretColor: "var(--ink)", padding: "8px 0" },
  ".cm-line": { padding: "0 12px 0 6px" },
  ".cm-gutters": { backgroundColor: "var(--surface)", color: "var(--ink-2)", border: "0", paddingLeft: "4px" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--sunken) 70%, transparent)" },
  "&.cm-focused": { outline: "none" }, // the pane draws the ring
  ".cm-cursor": { borderLeftColor: "var(--ink)", borderLeftWidth: "2px" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground, ::selection": { backgroundColor: "color-mix(in srgb, var(--focus) 25%, transparent) !important" },
  ".cm-matchingBracket": { backgroundColor: "var(--honey-soft) !important", color: "inherit !important", outline: "1px solid var(--honey-edge)" },
  ".cm-searchMatch": { backgroundColor: "var(--wait-bg)", outline: "1px solid var(--wait)" },
  ".cm-selectionMatch": { backgroundColor: "var(--sunken)" },
  ".cm-panels": { backgroundColor: "var(--sunken)", color: "var(--ink)", borderColor: "var(--line)" },
  ".cm-textfield, .cm-button": { backgroundColor: "var(--surface)", backgroundImage: "none", color: "var(--ink)", border: "1px solid var(--line-strong)", borderRadius: "4px" },
  ".cm-tooltip": { backgroundColor: "var(--surface)", color: "var(--ink)", border: "1px solid var(--line)", boxShadow: "var(--shadow)" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--honey-soft)", color: "var(--ink)" },
});

/** The page's nonce, without which its security policy would refuse CodeMirror's style sheet. */
export const nonce = () => EditorView.cspNonce.of(document.querySelector('meta[name="style-nonce"]').content);

const languages = {
  python: () => python(), sql: () => sql(), yaml: () => yaml(), proto: () => StreamLanguage.define(protobuf),
};
export const languageOf = (name) => (languages[name] ? [languages[name]()] : []);

// Tab types a tab in the text until Esc was pressed; then the next Tab moves on, as it does everywhere else on the page.
function tabEscape(announce) {
  let leaving = false;
  return [
    EditorView.domEventHandlers({ blur: () => { leaving = false; }, mousedown: () => { leaving = false; } }),
    keymap.of([
      { key: "Escape", run: () => { leaving = true; announce(); return false; } },
      { key: "Tab", run: (view) => (leaving ? false : insertTab(view)), shift: (view) => (leaving ? false : indentLess(view)) },
    ]),
  ];
}

/**
 * An editor over several files.
 * @param {HTMLElement} parent
 * @param {{files: {path: string, text: string, language: string, readonly: boolean}[], label: (path: string) => string,
 *          onChange: (path: string, text: string) => void, onKey: Record<string, () => boolean>, announceEscape: () => void}} options
 */
export function createEditor(parent, options) {
  const named = new Compartment();
  const states = new Map();
  const facts = new Map(options.files.map((file) => [file.path, file]));
  let current = options.files[0].path;

  const stateOf = (file) => EditorState.create({
    doc: file.text,
    extensions: [
      lineNumbers(), highlightActiveLineGutter(), highlightActiveLine(), history(), drawSelection(), indentOnInput(), indentUnit.of("    "),
      bracketMatching(), closeBrackets(), autocompletion({ activateOnTyping: false }), highlightSelectionMatches(), highlighting, looks,
      ...languageOf(file.language), nonce(), EditorState.tabSize.of(4), EditorState.readOnly.of(file.readonly), tabEscape(options.announceEscape),
      keymap.of(Object.entries(options.onKey).map(([key, run]) => ({ key, run, preventDefault: true }))),
      keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...completionKeymap]),
      named.of(EditorView.contentAttributes.of({ "aria-label": options.label(file.path), "aria-readonly": String(file.readonly), tabindex: "0" })),
      EditorView.updateListener.of((update) => {
        if (update.docChanged && !file.readonly) options.onChange(file.path, update.state.doc.toString());
      }),
    ],
  });
  for (const file of options.files) states.set(file.path, stateOf(file));
  const view = new EditorView({ state: states.get(current), parent });

  return {
    view,
    get path() { return current; },
    show(path) {
      states.set(current, view.state);
      current = path;
      view.setState(states.get(path));
    },
    text: (path) => (path === current ? view.state : states.get(path)).doc.toString(),
    /** Replace a file's text (restore, reset, theirs); undo brings the old one back. */
    replace(path, text) {
      const state = path === current ? view.state : states.get(path);
      const change = { changes: { from: 0, to: state.doc.length, insert: text } };
      if (path === current) view.dispatch(change);
      else {
        states.set(path, state.update(change).state);
        options.onChange(path, text);
      }
    },
    files: () => Object.fromEntries([...facts.values()].filter((f) => !f.readonly).map((f) => [f.path, (f.path === current ? view.state : states.get(f.path)).doc.toString()])),
    focus: () => view.focus(),
  };
}
