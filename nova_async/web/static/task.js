// One task: why it is so, its attempts, its conversation, changes, prompt and command, checks.
import * as actions from "./actions.js";
import { attemptPath, taskPath } from "./api.js";
import { clean, clock, cost, count, duration, oneLine, plural, quoted, stopwatch, total } from "./format.js";
import { Conversation } from "./conversation.js";
import { html, useEffect, useState } from "./html.js";
import { useLoaded } from "./loaded.js";
import { Problem, State, TaskLinks, taskHash } from "./parts.js";
import { hashOf } from "./place.js";
import { RawLog } from "./raw.js";
import { dependents, isAtWork, secondsOf } from "./state.js";
import { useClock } from "./windowed.js";

const TABS = [["conversation", "Conversation"], ["attempts", "Attempts"], ["prompt", "Prompt"], ["changes", "Changes"], ["checks", "Checks"], ["raw", "Raw log"]];

export function TaskPage({ state, nova, id, tab }) {
  const task = state.tasks.get(id), [chosen, choose] = useState(null);
  const about = task?.now.nova, latest = about?.attempts[about.attempts.length - 1];
  const { told, error } = useLoaded(taskPath(id), `${about?.state} ${about?.attempt} ${about?.attempts.length} ${about?.phase} ${state.head.is_over}`, Boolean(task));
  useEffect(() => {
    document.getElementById("main")?.focus({ preventScroll: true });
  }, [id]);
  if (!task) return html`<section class="empty"><h1>There is no task ${oneLine(id, 100)}</h1><p><a href=${hashOf("")}>All tasks</a></p></section>`;
  const attempt = about.attempts.find((each) => each.number === chosen) ?? latest;
  const isOver = state.head.is_over || (attempt && attempt.outcome !== null);
  const shared = { id, attempt: attempt?.number, hasLog: Boolean(attempt?.log), isOver, nova };
  return html`<article class="task" aria-labelledby="task">
    <${Top} state=${state} task=${task} nova=${nova} />
    <${Facts} state=${state} task=${task} told=${told} />
    <div class="tabs"><div role="tablist" aria-label="About the task" onKeyDown=${(event) => arrow(event, id, tab)}>${TABS.map(([name, title]) => html`
      <a role="tab" id=${`tab-${name}`} href=${taskHash(id, name)} aria-selected=${name === tab} tabindex=${name === tab ? 0 : -1} aria-controls="panel" onClick=${(event) => turn(event, id, name)}>${title}${name === "attempts" && about.attempts.length > 1 ? html` <span class="count">${about.attempts.length}</span>` : ""}${name === "changes" && task.now.files_changed.length ? html` <span class="count">${task.now.files_changed.length}</span>` : ""}</a>`)}</div>
      ${about.attempts.length > 1 && ["conversation", "raw", "prompt"].includes(tab) && html`<label class="which">Attempt <select value=${attempt.number} onChange=${(event) => choose(Number(event.target.value) === latest.number ? null : Number(event.target.value))}>
        ${about.attempts.map((each) => html`<option value=${each.number} selected=${each.number === attempt.number}>${each.number}: ${each.outcome ?? "now"}</option>`)}</select></label>`}</div>
    <div role="tabpanel" id="panel" aria-labelledby=${`tab-${tab}`} tabindex=${tab === "conversation" || tab === "raw" ? -1 : 0}>
      ${tab === "conversation" && html`<${Conversation} ...${shared} />`}
      ${tab === "raw" && html`<${RawLog} ...${shared} />`}
      ${!["conversation", "raw"].includes(tab) && !told && html`<${Problem} error=${error || "…"} />`}
      ${tab === "attempts" && told && html`<${Attempts} told=${told} id=${id} />`}
      ${tab === "prompt" && told && html`<${Prompt} told=${told} number=${attempt?.number} />`}
      ${tab === "changes" && told && html`<${Changes} task=${task} told=${told} />`}
      ${tab === "checks" && told && html`<${Checks} told=${told} />`}
    </div></article>`;
}

// A tab is another view of the same page: no step back for each.
function turn(event, id, name) {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  history.replaceState(null, "", taskHash(id, name));
  dispatchEvent(new CustomEvent("turned"));
}

function arrow(event, id, tab) {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!by) return;
  event.preventDefault();
  const names = TABS.map(([name]) => name), next = names[(names.indexOf(tab) + by + names.length) % names.length];
  turn(event, id, next);
  requestAnimationFrame(() => document.getElementById(`tab-${next}`)?.focus());
}

function Top({ state, task, nova }) {
  const { id, now, look } = task, canAct = !state.head.is_over, at = useClock(nova, canAct && isAtWork(task));
  const seconds = secondsOf(now, at, state.head.is_over), after = dependents(state.tasks).get(id) ?? [];
  const { state: word, attempt, retry_at: retryAt } = now.nova, wasStopped = word === "waiting" && attempt > 0 && !retryAt;
  const hasEnded = wasStopped || look.word === "on hold" || ["completed", "failed", "blocked"].includes(word);
  return html`<header class="top">
    <p class="quiet path"><a href=${hashOf("")}>Tasks</a>${[now.nova.branch, now.nova.group].filter(Boolean).map((each) => html` <span aria-hidden="true">›</span> ${oneLine(each, 100)}`)}</p>
    <h1 id="task"><span class="id">${oneLine(id, 100)}</span> ${oneLine(now.nova.name, 300)}</h1>
    <p class="condition"><span class="pill ${look.tone}"><span class="sign" aria-hidden="true">${look.sign}</span> ${look.word}</span>
      <span class="facts number">${[now.nova.attempt > 0 && stopwatch(seconds), look.tokens && `${look.tokens} tokens`, look.cost, now.nova.attempt > 1 && `attempt ${now.nova.attempt}`].filter(Boolean).join(" · ")}</span></p>
    ${look.doing && html`<p class="why ${look.tone}">${clean(look.doing)}</p>`}
    ${now.nova.blocked_by.length > 0 && html`<p class="blocks">because of <${TaskLinks} ids=${now.nova.blocked_by} tasks=${state.tasks} /></p>`}
    ${canAct && html`<div class="row controls" role="group" aria-label="What can be done with the task">
      ${now.nova.needs_approval && html`<button class="primary" onClick=${() => actions.approve(state, task)}>Approve</button>`}
      ${isAtWork(task) && html`<button class="danger" onClick=${() => actions.stopTask(state, task)}>Stop…</button>`}
      ${hasEnded && html`<button onClick=${() => actions.retryTask(state, task)}>Run again${now.nova.state === "completed" ? "…" : ""}</button>`}
      ${hasEnded && after.length > 0 && html`<button onClick=${() => actions.retryTask(state, task, true)}>Run again with what follows…</button>`}</div>`}
  </header>`;
}

function Facts({ state, task, told }) {
  const { now } = task, about = now.nova, after = dependents(state.tasks).get(task.id) ?? [];
  const latest = told?.attempts[told.attempts.length - 1], used = now.token_usage;
  const facts = [
    ["Depends on", about.depends_on.length && html`<${TaskLinks} ids=${about.depends_on} tasks=${state.tasks} />`],
    ["Needed by", after.length && html`<${TaskLinks} ids=${after} tasks=${state.tasks} />`],
    ["Agent", [about.agent, latest?.model, !about.agent.includes("@") && latest?.account].filter(Boolean).map((each) => oneLine(each, 60)).join(" · ")],
    ["Started", now.started_at && clock(now.started_at)],
    ["Ended", now.completed_at && clock(now.completed_at)],
    ["Tokens", total(used) && html`<span class="number">${count(used.input_tokens)} in · ${count(used.output_tokens)} out · cache ${count(used.cache_read_tokens)} read, ${count(used.cache_creation_tokens)} written</span>`],
    ["Session", told?.session_id && html`<code>${oneLine(told.session_id, 60)}</code>`],
    ["Process", now.pid && `pid ${now.pid}`],
    ["Denied", about.denied.length && about.denied.map((each) => oneLine(each)).join(", ")],
    ["Commit", now.commit_sha && html`<code>${oneLine(now.commit_sha, 50)}</code>`],
  ].filter(([, value]) => value);
  return html`<dl class="facts-list">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
    ${about.result && about.result !== about.error && html`<details class="result" open=${about.result.length < 400}><summary>Result</summary><p class="text">${clean(told?.result ?? about.result)}</p></details>`}`;
}

const ENDS = { ok: { sign: "✓", word: "completed", tone: "good" } };

function Attempts({ told, id }) {
  if (!told.attempts.length) return html`<p class="quiet">It has not begun yet.</p>`;
  return html`<ol class="attempts">${[...told.attempts].reverse().map((each) => html`<li key=${each.number}>
    <p class="what"><b class="number">${each.number}</b> <${State} look=${each.outcome === null ? { sign: "▸", word: "running", tone: "busy" } : ENDS[each.outcome] ?? { sign: "✗", word: each.outcome, tone: "bad" }} />
      <span class="quiet number">${[clock(each.started_at), each.duration_seconds != null && duration(each.duration_seconds), each.token_usage && total(each.token_usage) > 0 && `${count(total(each.token_usage))} tokens`, each.token_usage && cost(each) !== "-" && cost(each)].filter(Boolean).join(" · ")}</span></p>
    ${each.error && html`<p class="bad text">${clean(each.error)}</p>`}
    <p class="quiet">${[each.agent, each.model, each.account, each.exit_code != null && `exit code ${each.exit_code}`, each.resumes && "in its former session", !each.counts && "no longer counts", each.leftovers > 0 && `${plural(each.leftovers, "process", "processes")} left behind and ended`].filter(Boolean).map((part) => oneLine(part, 80)).join(" · ")}
      ${each.log_path && html` · <a href=${`/api/v1/${attemptPath(id, each.number)}/log?download`} download>log</a>`}</p></li>`)}</ol>`;
}

function Prompt({ told, number }) {
  const attempt = told.attempts.find((each) => each.number === number);
  return html`<h2>Prompt</h2><p class="text prompt-text">${clean(told.prompt ?? "It is not known any more.")}</p>
    ${attempt && html`<h2>Command</h2><pre class="code">${attempt.command.map(quoted).join(" ")}</pre>
      ${Object.keys(attempt.limits).length > 0 && html`<h2>Limits</h2><dl class="facts-list">${Object.entries(attempt.limits).map(([name, value]) => html`<div><dt>${clean(name)}</dt><dd class="number">${clean(value)}</dd></div>`)}</dl>`}`}`;
}

function Changes({ task, told }) {
  const files = task.now.files_changed;
  if (!files.length) return html`<p class="quiet">No changed files are known.</p>`;
  return html`<p class="quiet">${plural(files.length, "file")}${told.commit_sha ? html` in <code>${oneLine(told.commit_sha, 50)}</code>` : ""}</p>
    <ul class="files">${files.slice(0, 2000).map((file) => html`<li><code>${oneLine(file, 1000)}</code></li>`)}</ul>`;
}

function Checks({ told }) {
  if (!told.checks.length) return html`<p class="quiet">Nothing is known of its phases.</p>`;
  return html`<div class="wide"><table class="plain-table"><caption class="unseen">What happened in each attempt</caption><thead><tr><th scope="col" class="number">Attempt</th><th scope="col">Phase</th><th scope="col">At</th><th scope="col">What</th></tr></thead>
    <tbody>${told.checks.map((each) => html`<tr><td class="number">${each.attempt}</td><td>${{ prepare: "starting", run: "running", verify: "checking", settle: "finishing" }[each.phase] ?? clean(each.phase)}</td><td class="number">${clock(each.at)}</td><td>${oneLine(each.activity)}</td></tr>`)}</tbody></table></div>`;
}
