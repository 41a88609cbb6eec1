// The runs of this folder, the newest first; each can be opened.
import { cost, dayAndTime, duration, oneLine, plural } from "./format.js";
import { html } from "./html.js";
import { useLoaded } from "./loaded.js";
import { CONDITIONS, Problem, State } from "./parts.js";

export function RunsPage({ state }) {
  const { told, error } = useLoaded("runs", `${state.head?.nova.run_id} ${state.head?.is_over}`);
  if (!told) return html`<section><h1>Runs</h1><${Problem} error=${error || "…"} /></section>`;
  const current = state.head?.nova.run_id;
  return html`<section aria-labelledby="runs"><h1 id="runs">Runs <span class="count">${told.runs.length}</span></h1>
    <div class="wide"><table class="plain-table"><caption class="unseen">Runs of this folder, the newest first</caption>
      <thead><tr><th scope="col">State</th><th scope="col">Started</th><th scope="col">Project</th><th scope="col">Plan</th><th scope="col" class="number">Tasks</th><th scope="col" class="number">Took</th><th scope="col" class="number">Cost</th><th scope="col" class="run-id">Run</th></tr></thead>
      <tbody>${told.runs.map((run) => html`<tr key=${run.run_id}>
        <td><${State} look=${CONDITIONS[run.condition] ?? { sign: "■", word: run.condition, tone: "warning" }} /></td>
        <td><a class="number" href=${run.run_id === current ? "#/" : `#/runs/${encodeURIComponent(run.run_id)}`}>${dayAndTime(run.started_at)}</a>${run.run_id === current ? html` <span class="quiet">current</span>` : ""}</td>
        <td>${oneLine(run.project, 80)}</td><td class="quiet">${oneLine(run.plan, 80)}${run.fresh ? " (afresh)" : ""}</td>
        <td class="number">${run.completed} of ${run.tasks}${run.failed ? html`, <span class="bad">${run.failed} failed</span>` : ""}</td>
        <td class="number">${run.duration_seconds === null ? "" : duration(run.duration_seconds)}</td><td class="number">${cost(run) === "-" ? "" : cost(run)}</td>
        <td class="quiet run-id"><code>${oneLine(run.run_id, 20)}</code></td></tr>`)}</tbody></table></div>
    <p class="quiet">${plural(told.runs.length, "run")} of this folder, each with what it did itself, without the earlier ones that it resumed.</p></section>`;
}
