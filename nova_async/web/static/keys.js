// What the keys do, the same as in `nova watch`; and the help that lists them.
import * as actions from "./actions.js";
import { isAsking } from "./dialogs.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { notice } from "./said.js";
import { select, setFilter, view } from "./tasks.js";

const HELP = [
  ["j k ↓ ↑", "select the next or previous task"],
  ["enter", "show the selected task"],
  ["l", "show its raw log"],
  ["esc", "back; leave the filter; close what is open"],
  ["/", "filter the tasks by their words"],
  ["s", "stop the task, or the run if none is selected (asks)"],
  ["r", "run the task again"],
  ["R", "run it again with all that comes after it (asks)"],
  ["a", "approve the task, if it waits for approval"],
  ["p", "pause the run: nothing new begins; again: go on"],
  ["+ -", "one worker more or less"],
  ["y n", "answer a question that was asked"],
  ["b", "change the run's budget"],
  ["g t", "the graph · the run with its table"],
  ["?", "this help"],
];

let openHelp = () => {};

export function HelpButton() {
  return html`<button class="icon keys-button" onClick=${() => openHelp()} aria-label="Keys" title="Keys  ?"><span aria-hidden="true">?</span></button>`;
}

export function Keys({ state, route, nova }) {
  const [isOpen, setOpen] = useState(false), dialog = useRef(), latest = useRef();
  latest.current = { state, route, nova, setOpen };
  useEffect(() => {
    const pressed = (event) => press(event, latest.current);
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
  useEffect(() => {
    if (isOpen) dialog.current.showModal();
  }, [isOpen]);
  openHelp = () => setOpen(true);
  return isOpen && html`<dialog ref=${dialog} aria-labelledby="keys" onClose=${() => setOpen(false)}>
      <h2 id="keys">Keys</h2>
      <dl class="keys">${HELP.map(([keys, what]) => html`<div><dt>${keys.split(" ").map((key) => html`<kbd>${key}</kbd> `)}</dt><dd>${what}</dd></div>`)}</dl>
      <p class="row end"><button class="primary" autofocus onClick=${() => dialog.current.close()}>Close</button></p></dialog>`;
}

function press(event, { state, route, nova, setOpen }) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isAsking()) return;
  const isTyping = event.target.matches?.("input, textarea, select");
  if (isTyping) {
    if (event.key === "Escape" && event.target.id === "filter") setFilter("");
    if (event.key === "Escape" || (event.key === "Enter" && event.target.id === "filter")) {
      event.target.blur();
      if (event.key === "Enter") select(0);
    }
    return;
  }
  const isInList = !route.page, arrows = isInList && view.selected !== null && !event.target.closest?.("[role=tablist], .scrolls");
  const id = route.page === "task" ? route.rest[0] : isInList ? view.selected : null;
  const task = state.tasks.get(id), key = event.key;
  const moves = { j: 1, k: -1, ...(arrows ? { ArrowDown: 1, ArrowUp: -1 } : {}) };
  if (key in moves) {
    if (route.page === "task") step(state, id, moves[key], nova);
    else if (isInList) select(moves[key]);
    else return;
  } else if (!does(key, { state, task, route, nova, setOpen, event })) return;
  event.preventDefault();
}

function does(key, { state, task, route, nova, setOpen, event }) {
  const onTask = (what) => (task ? what(state, task) : notice("Select a task first: j, k or the arrows.", "warning"));
  const plain = event.target === document.body || event.target.closest?.("tr.selected, #tasks, #main") !== null;
  switch (key) {
    case "?": setOpen(true); return true;
    case "/": toFilter(route, nova); return true;
    case "Enter":
      if (event.target.closest?.("a, button, summary, [tabindex='0']") || !plain || !task || route.page) return false;
      nova.go(`task/${encodeURIComponent(task.id)}`);
      return true;
    case "l": if (task) nova.go(`task/${encodeURIComponent(task.id)}/raw`); return true;
    case "Escape":
      if (route.page) nova.go("");
      else if (view.text || view.word) setFilter("", "");
      else {
        if (state.isPast && view.selected === null) location.hash = "#/runs";
        view.selected = null;
        document.activeElement?.blur();
        view.redraw({});
      }
      return true;
    case "g": nova.go("graph"); return true;
    case "t": nova.go(""); return true;
  }
  if (!state.head) return false;
  switch (key) {
    case "s": if (task) actions.stopTask(state, task); else actions.stopRun(state); return true;
    case "r": onTask(actions.retryTask); return true;
    case "R": onTask((...about) => actions.retryTask(...about, true)); return true;
    case "a": onTask(actions.approve); return true;
    case "p": actions.pauseOrResume(state); return true;
    case "+": case "=": actions.setWorkers(state, state.head.nova.max_workers + 1); return true;
    case "-": actions.setWorkers(state, state.head.nova.max_workers - 1); return true;
    case "b": actions.changeBudget(state); return true;
  }
  return false;
}

function step(state, id, by, nova) {
  const ids = [...state.tasks.keys()], next = ids[ids.indexOf(id) + by];
  if (next === undefined) return;
  view.selected = next;
  nova.go(`task/${encodeURIComponent(next)}`);
}

function toFilter(route, nova) {
  const filter = document.getElementById("filter");
  if (filter) return void filter.focus();
  if (route.page) nova.go("");
  requestAnimationFrame(() => requestAnimationFrame(() => document.getElementById("filter")?.focus()));
}
