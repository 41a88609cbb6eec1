// The plan that was run last, as its file says now: what is wrong with it, its waves, its settings.
import { clean, oneLine, plural, quoted } from "./format.js";
import { html } from "./html.js";
import { useLoaded } from "./loaded.js";
import { Problem, TaskLinks } from "./parts.js";

const HIDDEN = new Set(["accounts", "env"]); // of these the names only: there may be keys among the values

export function PlanPage({ state }) {
  const { told, error } = useLoaded("plan", `${state.head?.nova.run_id} ${state.head?.is_over}`);
  if (!told) return html`<section><h1>Plan</h1><${Problem} error=${error || "…"} /></section>`;
  const { diagnostics = [], waves = [], critical_path: critical = [], cost = [], agents = [], milestones = [], left_out: leftOut = [] } = told;
  return html`<section aria-labelledby="plan"><h1 id="plan">Plan</h1>
    <p class="quiet"><code>${clean(told.file)}</code>, as it stands now${told.tasks ? `: ${plural(told.tasks.length, "task")} in ${plural(waves.length, "wave")}` : ""}.</p>
    ${diagnostics.length > 0 && html`<ul class="needs">${diagnostics.map((each) => html`<li class="need ${each.is_error ? "bad" : "warning"}"><p><b>${each.is_error ? "error" : "warning"}</b> <code>${clean(each.file)}:${each.line}</code> ${clean(each.text)}</p></li>`)}</ul>`}
    ${told.ok && html`
      <h2>Waves</h2><ol class="waves">${waves.map((wave) => html`<li><${TaskLinks} ids=${wave} tasks=${state.tasks} most=${60} /></li>`)}</ol>
      <h2>Longest chain</h2><p><${TaskLinks} ids=${critical} tasks=${state.tasks} most=${60} /></p>
      ${leftOut.length > 0 && html`<h2>Left out</h2><p>${leftOut.map((each) => clean(typeof each === "string" ? each : JSON.stringify(each))).join(", ")}</p>`}
      ${milestones.length > 0 && html`<h2>Milestones</h2><ul class="milestones">${milestones.map((each) => html`<li>${state.head?.nova.milestones[each.id] ? html`<span class="good">◆</span>` : html`<span class="quiet">◇</span>`} ${clean(each.message || each.id)}</li>`)}</ul>`}
      ${agents.length > 0 && html`<h2>Agents</h2>${agents.map((agent) => html`<${Agent} agent=${agent} tasks=${state.tasks} />`)}`}
      <h2>Money</h2>${cost.map((each) => html`<p>${plural(each.tasks.length, "task")}: ${clean(each.known)}</p>`)}
      <h2>Settings</h2><dl class="facts-list">${Object.entries({ ...told.settings, ...told.task_defaults }).map(([name, value]) => html`<div><dt>${clean(name)}</dt><dd><code>${oneLine(shown(value, HIDDEN.has(name)), 1000)}</code></dd></div>`)}</dl>`}</section>`;
}

function Agent({ agent, tasks }) {
  const who = `${agent.is_next ? "next " : ""}${agent.agent}${agent.account ? `@${agent.account}` : ""}`, env = Object.keys(agent.env);
  return html`<p><b>${oneLine(who, 60)}</b> <span class="quiet">permissions ${clean(agent.permissions)}${env.length ? `, with ${oneLine(env.join(", "))}` : ""} · </span><${TaskLinks} ids=${agent.tasks} tasks=${tasks} /></p>
    <pre class="code">${agent.command.map((word) => (word === "…" ? word : quoted(word))).join(" ")}</pre>`;
}

// A setting as one would say it: lists and tables without brackets.
function shown(value, areNames) {
  if (Array.isArray(value)) return value.map((each) => shown(each)).join(" ");
  if (value === null || typeof value !== "object") return String(value);
  return Object.entries(value).map(([name, each]) => (areNames ? name : `${name}: ${shown(each)}`)).join(", ");
}
