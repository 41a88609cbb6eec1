// Questions before something is lost, and what is shown for a while: the answers of the run.
import { html, useEffect, useRef, useState } from "./html.js";
import { onNotice } from "./said.js";

let ask = () => Promise.resolve(null);

// Asks; gives what the form says ({} without fields), or null if it is not wanted.
export const confirm = (question) => ask(question);

export const isAsking = () => document.querySelector("dialog[open]") !== null;

export function Dialogs() {
  const [question, setQuestion] = useState(null);
  const [notice, setNotice] = useState(null);
  const dialog = useRef(), form = useRef();
  ask = (asked) => new Promise((answer) => setQuestion({ ...asked, answer }));
  onNotice(setNotice);
  useEffect(() => {
    if (question) dialog.current.showModal();
  }, [question]);
  useEffect(() => {
    if (!notice) return undefined;
    const timer = setTimeout(() => setNotice(null), 7000);
    return () => clearTimeout(timer);
  }, [notice]);
  const end = () => {
    question.answer(said.current);
    said.current = null;
    setQuestion(null);
  };
  const said = useRef(null);
  const submit = (event) => {
    event.preventDefault();
    said.current = Object.fromEntries(new FormData(event.target));
    dialog.current.close(); // which gives the focus back
  };
  const isDangerous = question?.tone === "danger";
  const pressed = (event) => { // as in a terminal: y/n
    if (question.fields || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "y") form.current.requestSubmit();
    else if (event.key === "n") dialog.current.close();
    else return;
    event.preventDefault();
  };
  return html`
    ${notice && html`<p class="notice ${notice.tone}" aria-hidden="true">${notice.text}</p>`}
    ${question && html`<dialog ref=${dialog} aria-labelledby="question" onClose=${end} onKeyDown=${pressed}>
      <form ref=${form} onSubmit=${submit}>
        <h2 id="question">${question.title}</h2>
        ${question.text && html`<p class="quiet">${question.text}</p>`}
        ${(question.fields ?? []).map((field) => html`<p class="field"><label for=${`field-${field.name}`}>${field.label}</label>
          <input id=${`field-${field.name}`} name=${field.name} inputmode="decimal" autocomplete="off" value=${field.value ?? ""} pattern=${field.pattern} /></p>`)}
        <p class="row end"><button type="button" autofocus=${isDangerous} onClick=${() => dialog.current.close()}>${question.no ?? "Cancel"}</button>
          <button class=${question.tone ?? "primary"} autofocus=${!isDangerous} aria-keyshortcuts=${question.fields ? null : "y"}>${question.yes}</button></p>
      </form></dialog>`}`;
}
