// The runs of the past, the newest first.
import { clock, duration, oneLine, plural } from "./format.js";
import { html } from "./html.js";
import { useLoaded } from "./loaded.js";
import { Problem, State } from "./parts.js";

const LOOKS = {
  completed: { sign: "✓", word: "completed", tone: "good" }, failed: { sign: "✗", word: "failed", tone: "bad" },
  stopped: { sign: "■", word: "stopped", tone: "warning" }, null: { sign: "✗", word: "no end known", tone: "bad" },
};

export function RunsPage({ state }) {
  const { told, error } = useLoaded("runs", `${state.head?.nova.run_id} ${state.head?.is_over}`);
  if (!told) return html`<section><h1>Runs</h1><${Problem} error=${error || "…"} /></section>`;
  const now = state.head && !state.head.is_over ? state.head.nova.run_id : null;
  return html`<section aria-labelledby="runs"><h1 id="runs">Runs <span class="count">${told.runs.length}</span></h1>
    <div class="wide"><table class="plain-table"><caption class="unseen">Runs of this folder, the newest first</caption>
      <thead><tr><th scope="col">State</th><th scope="col">Project</th><th scope="col">Plan</th><th scope="col" class="number">Started</th><th scope="col" class="number">Took</th><th scope="col" class="number">Workers</th><th scope="col" class="run-id">Run</th></tr></thead>
      <tbody>${told.runs.map((run) => html`<tr key=${run.run_id}>
        <td><${State} look=${run.run_id === now ? { sign: "▸", word: "running", tone: "busy" } : LOOKS[run.end] ?? { sign: "■", word: run.end, tone: "warning" }} /></td>
        <td>${run.run_id === state.head?.nova.run_id ? html`<a href="#/">${oneLine(run.project, 80) || "Run"}</a>` : oneLine(run.project, 80)}</td><td class="quiet">${oneLine(run.plan, 80)}${run.fresh ? " (afresh)" : ""}</td>
        <td class="number">${clock(run.started_at)}</td><td class="number">${run.ended_at ? duration((Date.parse(run.ended_at) - Date.parse(run.started_at)) / 1000) : ""}</td>
        <td class="number">${run.max_workers}</td><td class="quiet run-id"><code>${oneLine(run.run_id, 20)}</code></td></tr>`)}</tbody></table></div>
    <p class="quiet">${plural(told.runs.length, "run")} of this folder. What each of them did: <code>nova runs</code>.</p></section>`;
}
