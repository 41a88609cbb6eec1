// What each task did when. Laid out by the server, on an axis without long gaps; only drawn here.
import { clean, oneLine } from "./format.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { useLoaded, useSeen } from "./loaded.js";
import { taskHash } from "./parts.js";
import { pathOf } from "./place.js";
import { useNarrow, useWindowed } from "./windowed.js";

const ROW = 24; // pixels; the same stands in run.css
const GOES_ON = 3000; // milliseconds at least after which the time of what runs is drawn anew, if nothing has changed
const STEPS = 300; // of the whole width: what is nearer could hardly be seen
const KINDS = [["waiting", "waiting", "quiet"], ["pausing", "pausing", "quiet"], ["running", "running", "busy"], ["checking", "checking", "busy"]];

const percent = (share) => `${(share * 100).toFixed(3)}%`;

export function Timeline({ state, nova }) {
  const section = useRef(), isSeen = useSeen(section), [beat, setBeat] = useState(0);
  const isOver = state.head.is_over;
  useEffect(() => {
    if (isOver || !isSeen) return undefined;
    let timer = null;
    const later = () => {
      const soFar = nova.now() - Date.parse(state.head.project.started_at);
      timer = setTimeout(() => {
        if (document.visibilityState === "visible") setBeat(Date.now());
        later();
      }, Math.max(GOES_ON, soFar / STEPS || 0)); // it may not have begun
    };
    later();
    return () => clearTimeout(timer);
  }, [isOver, isSeen, state.head.project.started_at]);
  const { told, error } = useLoaded(pathOf("timeline"), `${statesOf(state)} ${isOver} ${beat}`, isSeen);
  return html`<section ref=${section} aria-labelledby="timeline"><div class="title"><h2 id="timeline">Timeline</h2>
    <span class="legend" aria-hidden="true">${KINDS.map(([spell, name, tone]) => html`<span><svg width="18" height="10"><rect class="segment ${spell} ${tone}" width="18" height="10" rx="2" /></svg> ${name}</span>`)}</span></div>
    ${told ? html`<${Drawn} told=${told} tasks=${state.tasks} />` : html`<p class="quiet">${clean(error) || "…"}</p>`}</section>`;
}

// Changes when a task goes from one state to another: that is when a segment ends and another begins.
let lastTasks = null, turn = 0;
function statesOf({ tasks, plan }) {
  if (tasks !== lastTasks) {
    if (!lastTasks || lastTasks.size !== tasks.size) turn += 1;
    else {
      for (const [id, task] of tasks) {
        const before = lastTasks.get(id);
        if (before !== task && (before?.look.word !== task.look.word || before?.now.nova.attempt !== task.now.nova.attempt)) {
          turn += 1;
          break;
        }
      }
    }
    lastTasks = tasks;
  }
  return `${plan} ${turn}`;
}

function Drawn({ told, tasks }) {
  const rows = told.rows.filter((row) => row.segments.length), isNarrow = useNarrow(), box = useRef();
  const [first, last] = useWindowed(box, rows.length, ROW);
  if (!rows.length) return html`<p class="quiet">Nothing has begun yet.</p>`;
  return html`<div class="timeline" role="img" aria-label=${`Timeline of ${rows.length} tasks; their times stand in the table of tasks`}>
    <div class="scrolls rows"><div ref=${box}>
      ${first > 0 && html`<svg width="1" height=${first * ROW}></svg>`}
      ${rows.slice(first, last).map((row) => html`<${Row} key=${row.task} row=${row} task=${tasks.get(row.task)} gaps=${told.gaps} />`)}
      ${last < rows.length && html`<svg width="1" height=${(rows.length - last) * ROW}></svg>`}</div></div>
    <div class="axis"><span></span><svg width="100%" height="20">${readable(told.ticks, isNarrow ? 0.3 : 0.09).map((tick) => html`<text x=${percent(tick.at)} y="14" class=${tick.at > (isNarrow ? 0.75 : 0.94) ? "end" : ""}>${tick.text}</text>`)}
      ${told.gaps.map((gap) => html`<g><title>nobody worked for ${gap.text}</title><text class="gap" x=${percent((gap.begin + gap.end) / 2)} y="14">⋯</text></g>`)}</svg></div></div>`;
}

// The moments that can be written beside each other.
function readable(ticks, room) {
  let latest = -1;
  return ticks.filter(({ at }) => {
    if (at - latest < room) return false;
    latest = at;
    return true;
  });
}

function Row({ row, task, gaps }) {
  return html`<div class="line" onClick=${() => (location.hash = taskHash(row.task))}>
    <span class="name" title=${oneLine(task?.now.nova.name)}><span class="sign ${task?.look.tone}">${task?.look.sign}</span> <b>${oneLine(row.task, 40)}</b> ${oneLine(task?.now.nova.name, 60)}</span>
    <svg width="100%" height=${ROW}>
      ${gaps.map((gap) => html`<rect class="gap" x=${percent(gap.begin)} width=${percent(gap.end - gap.begin)} height=${ROW} />`)}
      ${row.segments.map((each) => html`<${Segment} each=${each} />`)}</svg></div>`;
}

function Segment({ each }) {
  const isThin = each.spell === "waiting" || each.spell === "pausing";
  return html`<rect class="segment ${each.spell} ${each.tone}" x=${percent(each.begin)} width=${percent(Math.max(each.end - each.begin, 0.0015))}
    y=${isThin ? ROW / 2 - 1.5 : 5} height=${isThin ? 3 : ROW - 10} rx=${isThin ? 1.5 : 3}><title>${clean(each.text)}</title></rect>`;
}
