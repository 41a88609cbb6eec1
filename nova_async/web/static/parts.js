// Small things that are shown in several places.
import { clean, oneLine } from "./format.js";
import { html } from "./html.js";
import { hashOf } from "./place.js";

// A task's state: sign, word and colour.
export function State({ look }) {
  return html`<span class="state ${look.tone}"><span class="sign" aria-hidden="true">${look.sign}</span> ${clean(look.word)}</span>`;
}

// How a run is, by its condition.
export const CONDITIONS = {
  running: { sign: "▸", word: "running", tone: "busy" }, completed: { sign: "✓", word: "completed", tone: "good" },
  failed: { sign: "✗", word: "failed", tone: "bad" }, stopped: { sign: "■", word: "stopped", tone: "warning" },
  dead: { sign: "✗", word: "dead", tone: "bad" },
};

export function TaskLink({ id, name }) {
  return html`<a class="task-link" href=${taskHash(id)}><b>${oneLine(id, 60)}</b>${name ? html` <span>${oneLine(name, 120)}</span>` : null}</a>`;
}

export const taskHash = (id, tab) => hashOf(`task/${encodeURIComponent(id)}${tab ? `/${tab}` : ""}`);

// Links to tasks, the first few of many.
export function TaskLinks({ ids, tasks, most = 12 }) {
  return html`${ids.slice(0, most).map((id, place) => html`${place ? " " : ""}<a class="chip" href=${taskHash(id)} title=${oneLine(tasks.get(id)?.now.nova.name)}>${tasks.has(id) && html`<span class="sign ${tasks.get(id).look.tone}" aria-hidden="true">${tasks.get(id).look.sign}</span> `}${oneLine(id, 60)}</a>`)}${ids.length > most ? ` and ${ids.length - most} more` : ""}`;
}

// How much of something is used; the text beside it says the same.
export function Bar({ share, tone = "busy" }) {
  const width = `${(Math.min(Math.max(share, 0), 1) * 100).toFixed(2)}%`;
  return html`<svg class="bar" width="100%" height="6" aria-hidden="true"><rect class="track" width="100%" height="6" rx="3" /><rect class="fill ${tone}" width=${width} height="6" rx="3" /></svg>`;
}

export function Problem({ error }) {
  return html`<p class="empty quiet">${clean(error)}</p>`;
}

// Text in backquotes, as our own sentences have commands, is shown as code.
export function Prose({ text }) {
  return html`${clean(text).split(/`([^`]+)`/).map((part, place) => (place % 2 ? html`<code>${part}</code>` : part))}`;
}
