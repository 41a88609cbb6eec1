// The table of all tasks: filtered, windowed, with one row selected by the keyboard.
import { oneLine, stopwatch } from "./format.js";
import { html, useEffect, useMemo, useRef } from "./html.js";
import { State, TaskLink, taskHash } from "./parts.js";
import { matching, secondsOf } from "./state.js";
import { useClock, useNarrow, useWindowed } from "./windowed.js";

// What stays when one looks at a task and comes back.
export const view = { text: "", word: "", selected: null, redraw: () => {} };

const HEIGHT = { wide: 34, narrow: 56 }; // pixels; the same stands in run.css

export function select(by) {
  const list = shown(view.tasks);
  if (!list.length) return;
  const at = list.findIndex((task) => task.id === view.selected);
  const first = Math.max(list.findIndex((task) => task.now.nova.state === "in_progress"), 0);
  const next = at < 0 ? first : Math.min(Math.max(at + by, 0), list.length - 1);
  view.selected = list[next].id;
  view.isMoved = true;
  view.redraw({});
}

// Another run has other tasks.
export function forgetView() {
  Object.assign(view, { text: "", word: "", selected: null });
}

export function setFilter(text, word = view.word) {
  view.text = text;
  view.word = word;
  view.redraw({});
}

const shown = (tasks) => matching(tasks, view.text, view.word);

export function Tasks({ state, nova }) {
  const { tasks, head } = state;
  const isNarrow = useNarrow(), box = useRef(), height = isNarrow ? HEIGHT.narrow : HEIGHT.wide;
  const at = useClock(nova, !head.is_over);
  view.tasks = tasks;
  const rows = useMemo(() => withGroups(shown(tasks), !view.text && !view.word), [tasks, view.text, view.word]);
  const [first, last] = useWindowed(box, rows.length, height);
  useEffect(() => {
    if (!view.isMoved) return;
    view.isMoved = false;
    reveal(box.current, rows.findIndex((row) => row.id === view.selected), height);
  });
  const columns = isNarrow ? 2 : 7;
  return html`
    <${Filter} state=${state} count=${rows.filter((row) => row.look).length} />
    <table class="tasks" id="tasks" tabindex="-1" aria-rowcount=${rows.length + 1}>
      <caption class="unseen">All tasks</caption>
      <thead><tr><th scope="col">State</th><th scope="col">Task</th>${!isNarrow && html`
        <th scope="col">Doing</th><th scope="col">Agent</th><th scope="col" class="number">Time</th><th scope="col" class="number">Tokens</th><th scope="col" class="number">Cost</th>`}</tr></thead>
      <tbody ref=${box}>
        ${first > 0 && html`<tr key="above" aria-hidden="true"><td colspan=${columns} class="space" style=${{ height: `${first * height}px` }}></td></tr>`}
        ${rows.slice(first, last).map((row, place) => (row.look
          ? html`<${Row} key=${row.id} task=${row} isNarrow=${isNarrow} isSelected=${row.id === view.selected} seconds=${Math.floor(secondsOf(row.now, at, head.is_over))} index=${first + place + 2} />`
          : html`<tr key=${row.key} class="group" aria-rowindex=${first + place + 2}><th colspan=${columns} scope="colgroup">${row.branch}${row.branch && row.group ? html` <span aria-hidden="true">›</span> ` : ""}${row.group}</th></tr>`))}
        ${last < rows.length && html`<tr key="below" aria-hidden="true"><td colspan=${columns} class="space" style=${{ height: `${(rows.length - last) * height}px` }}></td></tr>`}
      </tbody>
    </table>
    ${rows.length === 0 && html`<p class="quiet empty">No task matches. <button class="as-link" onClick=${() => setFilter("", "")}>Show all</button></p>`}`;
}

function withGroups(tasks, areGrouped) {
  const rows = [];
  let latest = null;
  for (const task of tasks) {
    const branch = oneLine(task.now.nova.branch, 100), group = oneLine(task.now.nova.group, 100);
    const key = `${branch}\n${group}`;
    if (areGrouped && key !== latest && (branch || group)) rows.push({ key: `group ${rows.length}`, branch, group });
    latest = key;
    rows.push(task);
  }
  return rows;
}

function Row({ task, isNarrow, isSelected, seconds, index }) {
  const { id, now, look } = task, doing = oneLine(look.doing, 300).replaceAll("`", ""), time = now.nova.attempt || seconds ? stopwatch(seconds) : "";
  const attempt = now.nova.attempt > 1 ? html`<span class="again" title="attempt ${now.nova.attempt}"> ×${now.nova.attempt}</span>` : null;
  return html`<tr id=${`row-${id}`} class=${isSelected ? "selected" : ""} aria-rowindex=${index} onClick=${(event) => open(event, id)}>
    <td><${State} look=${look} />${isNarrow && html`<span class="sub number">${time}</span>`}</td>
    <td class="name"><${TaskLink} id=${id} name=${now.nova.name} />${attempt}${isNarrow && html`<span class="sub">${doing || [look.tokens, look.cost].filter(Boolean).join(" · ")}</span>`}</td>
    ${!isNarrow && html`<td class="doing ${look.tone === "bad" ? "bad" : ""}" title=${doing}>${doing}</td><td class="quiet" title=${oneLine(now.nova.agent)}>${oneLine(now.nova.agent, 30)}</td>
      <td class="number">${time}</td><td class="number">${look.tokens}</td><td class="number">${look.cost}</td>`}</tr>`;
}

function open(event, id) {
  view.selected = id;
  if (!event.target.closest("a, button") && !String(getSelection())) location.hash = taskHash(id);
}

function reveal(body, place, height) {
  if (place < 0 || !body) return;
  const top = body.getBoundingClientRect().top + place * height, room = innerHeight;
  if (top < 120 || top > room - height - 60) scrollBy(0, top - room / 2);
  requestAnimationFrame(() => requestAnimationFrame(() => {
    document.getElementById(`row-${view.selected}`)?.querySelector("a")?.focus({ preventScroll: true });
  }));
}

function Filter({ state: { tasks, head }, count }) {
  const words = Object.entries(head.board.words).sort((one, other) => other[1] - one[1]);
  const looks = new Map();
  for (const { look } of tasks.values()) looks.set(look.word, look);
  return html`<div class="filter">
    <input id="filter" type="search" placeholder="Filter  /" aria-label="Filter the tasks by their words" value=${view.text} onInput=${(event) => setFilter(event.target.value)} />
    <span class="chips" role="group" aria-label="Show only one state">${words.map(([word, number]) => html`
      <button class="chip ${looks.get(word)?.tone ?? ""}" aria-pressed=${view.word === word} onClick=${() => setFilter(view.text, view.word === word ? "" : word)}>
        <span class="sign" aria-hidden="true">${looks.get(word)?.sign}</span> ${word} <b>${number}</b></button>`)}</span>
    ${(view.text || view.word) && html`<span class="quiet">${count} of ${tasks.size}</span>`}</div>`;
}
