// What was spent, by task, model and attempt; and what runs now is added when it ends.
import { cost, count, oneLine, total } from "./format.js";
import { html, useState } from "./html.js";
import { useLoaded } from "./loaded.js";
import { Problem, taskHash } from "./parts.js";
import { pathOf } from "./place.js";
import { useNarrow } from "./windowed.js";

const KEYS = ["task", "model", "attempt", "agent", "account", "day", "run"];
const KINDS = [["input_tokens", "input"], ["output_tokens", "output"], ["cache_read_tokens", "cache read"], ["cache_creation_tokens", "cache write"]];

export function CostPage({ state }) {
  const ended = state.head ? state.head.board.total.completed + state.head.board.total.failed : 0;
  const { told, error } = useLoaded(pathOf("cost"), `${state.head?.nova.run_id} ${ended}`);
  const [by, setBy] = useState(["task", "model"]), kinds = useNarrow() ? [[null, "tokens"]] : KINDS;
  if (!told) return html`<section><h1>Cost</h1><${Problem} error=${error || "…"} /></section>`;
  const known = KEYS.filter((key) => told.rows.some((row) => row[key] !== "" && row[key] !== null));
  const used = by.filter((key) => known.includes(key)), rows = summed(told.rows, used), all = summed(told.rows, [])[0];
  const most = Math.max(...rows.map((row) => (row.cost_usd ?? 0) + (row.estimated_usd ?? 0)), 0);
  const toggle = (key) => setBy(by.includes(key) ? by.filter((each) => each !== key) : KEYS.filter((each) => each === key || by.includes(each)));
  return html`<section aria-labelledby="cost"><h1 id="cost">Cost</h1>
    <div class="filter"><span class="quiet">by</span><span class="chips" role="group" aria-label="What to tell apart">${known.map((key) => html`<button class="chip" aria-pressed=${by.includes(key)} onClick=${() => toggle(key)}>${key}</button>`)}</span></div>
    <div class="wide"><table class="plain-table cost"><caption class="unseen">What was used and what it cost</caption><thead><tr>${used.map((key) => html`<th scope="col">${key}</th>`)}
      ${kinds.map(([, name]) => html`<th scope="col" class="number">${name}</th>`)}<th scope="col" class="number">cost</th><th aria-hidden="true"></th></tr></thead>
      <tbody>${rows.map((row) => html`<tr>${used.map((key) => html`<td>${key === "task" && state.tasks.has(row.task) ? html`<a href=${taskHash(row.task)}>${oneLine(row.task, 60)}</a>` : oneLine(row[key], 60) || "–"}</td>`)}
        ${kinds.map(([kind]) => html`<td class="number">${count(kind ? row[kind] : total(row))}</td>`)}<td class="number">${cost(row)}</td>
        <td class="share"><svg width="100%" height="8" aria-hidden="true"><rect class="fill busy" height="8" rx="2" width=${`${most ? (((row.cost_usd ?? 0) + (row.estimated_usd ?? 0)) / most) * 100 : 0}%`} /></svg></td></tr>`)}</tbody>
      <tfoot>${all && html`<tr><th colspan=${used.length || 1} scope="row">total</th>${used.length ? kinds.map(([kind]) => html`<td class="number">${count(kind ? all[kind] : total(all))}</td>`) : ""}${used.length > 0 && html`<td class="number">${cost(all)}</td><td></td>`}</tr>`}</tfoot></table></div>
    <p class="quiet">~ is estimated by prices, ≥ means that a part is not known. Attempts that have not ended are not in it; <code>nova cost --csv</code> is for spreadsheets.</p></section>`;
}

// Rows with the same key as one. The cost of several models stands in a row of its own: a sum with it lacks nothing.
export function summed(rows, by) {
  const found = new Map(), attemptOf = (row) => `${row.run}\n${row.task}\n${row.attempt}`;
  for (const row of rows) {
    const key = by.map((name) => row[name]).join("\n"), sum = found.get(key);
    if (!sum) found.set(key, { ...row, parts: [row] });
    else {
      sum.parts.push(row);
      for (const [kind] of KINDS) sum[kind] += row[kind];
      for (const name of ["cost_usd", "estimated_usd"]) sum[name] = row[name] === null ? sum[name] : (sum[name] ?? 0) + row[name];
    }
  }
  return [...found.values()].map(({ parts, ...sum }) => {
    const told = new Set(parts.filter(({ model }) => model === "several models").map(attemptOf));
    return { ...sum, cost_is_complete: parts.every((part) => part.cost_is_complete || told.has(attemptOf(part))) };
  });
}
