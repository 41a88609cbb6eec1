// The first screen: is it alive, what needs somebody, money and tokens, what runs, the timeline, all tasks.
import * as actions from "./actions.js";
import { clean, clock, oneLine, plural, quoted, stopwatch } from "./format.js";
import { html, useState } from "./html.js";
import { Bar, CONDITIONS, Prose, State, TaskLink, TaskLinks } from "./parts.js";
import { hashOf, place } from "./place.js";
import { secondsOf } from "./state.js";
import { Tasks, view } from "./tasks.js";
import { Limits } from "./usage_limits.js";
import { Timeline } from "./timeline.js";
import { useClock } from "./windowed.js";

const MOST_NEEDS = 8; // shown until somebody wants all

export function RunPage({ state, nova }) {
  const [, redraw] = useState();
  view.redraw = redraw;
  return html`
    <${Alive} state=${state} nova=${nova} />
    <${Needs} state=${state} />
    <${Spent} state=${state} nova=${nova} />
    <${Running} state=${state} nova=${nova} />
    <${Timeline} state=${state} nova=${nova} />
    <section aria-labelledby="all"><div class="title"><h2 id="all">Tasks</h2><a href=${hashOf("graph")}>Graph</a></div><${Tasks} state=${state} nova=${nova} /></section>`;
}

function Alive({ state, nova }) {
  const { head: { project, nova: run, condition, is_over: isOver, board } } = state;
  const at = useClock(nova, !isOver);
  const tone = run.is_paused || run.is_stopping ? "warning" : CONDITIONS[condition]?.tone ?? "plain";
  const word = isOver ? condition : run.is_stopping ? "stopping" : run.is_paused ? "paused" : condition;
  const since = project.started_at && (Date.parse(project.completed_at ?? "") || at) - Date.parse(project.started_at);
  return html`<section class="alive" aria-labelledby="project">
    <h1 id="project">${oneLine(project.name) || "Run"}</h1>
    <p class="condition"><span class="pill ${tone}"><span class="sign" aria-hidden="true">${run.is_paused && !isOver ? "‖" : CONDITIONS[condition]?.sign}</span> ${word}</span>
      <span class="facts">${since >= 0 && html`<b class="number">${isOver && condition === "dead" ? "" : stopwatch(since / 1000)}</b>`}
        <span class="quiet">${[project.started_at && `started ${clock(project.started_at)}`, isOver && project.completed_at && `ended ${clock(project.completed_at)}`,
          !isOver && run.supervisor.pid && `pid ${run.supervisor.pid}`, oneLine(project.cascade_file)].filter(Boolean).join(" · ")}</span></span></p>
    ${condition === "dead" && html`<p class="bad">Its supervisor has died. ${!state.isPast && html`<span class="quiet"><code>nova run</code> goes on where it was.</span>`}</p>`}
    <${Progress} state=${state} />
    <p class="quiet sentence">${clean(board.sentence)}</p>
    ${run.warnings.map((warning) => html`<p class="warning"><span aria-hidden="true">! </span>${clean(warning)}</p>`)}
    <${Milestones} milestones=${run.milestones} />
    ${!isOver && html`<${Controls} state=${state} />`}
  </section>`;
}

const ORDER = ["good", "busy", "changing", "warning", "bad", "plain", "quiet"];

function Progress({ state: { tasks } }) {
  const numbers = new Map(ORDER.map((tone) => [tone, 0]));
  for (const { look } of tasks.values()) numbers.set(look.tone, (numbers.get(look.tone) ?? 0) + 1);
  let x = 0;
  return html`<svg class="progress" width="100%" height="10" aria-hidden="true">${[...numbers].map(([tone, number]) => {
    const from = x;
    x += (number / Math.max(tasks.size, 1)) * 100;
    return number > 0 && html`<rect class="fill ${tone}" x=${`${from}%`} width=${`${x - from}%`} height="10" />`;
  })}</svg>`;
}

function Milestones({ milestones }) {
  const reached = Object.entries(milestones);
  return reached.length > 0 && html`<ul class="milestones" aria-label="Milestones reached">${reached.map(([id, { message, reached_at: at }]) => html`
    <li><span class="good" aria-hidden="true">◆</span> ${clean(message) || clean(id)} <span class="quiet number">${clock(at)}</span></li>`)}</ul>`;
}

function Controls({ state }) {
  const { nova: run } = state.head;
  return html`<div class="row controls" role="group" aria-label="What the run can be asked to do">
    <button onClick=${() => actions.pauseOrResume(state)} disabled=${run.is_stopping}>${run.is_paused ? "Resume" : "Pause"}</button>
    <span class="stepper" role="group" aria-label="Workers"><button aria-label="One worker less" disabled=${run.max_workers < 2} onClick=${() => actions.setWorkers(state, run.max_workers - 1)}>−</button>
      <span class="number">${plural(run.max_workers, "worker")}</span><button aria-label="One worker more" onClick=${() => actions.setWorkers(state, run.max_workers + 1)}>+</button></span>
    <button onClick=${() => actions.changeBudget(state)}>Budget…</button>
    <button class="danger" disabled=${run.is_stopping} onClick=${() => actions.stopRun(state)}>Stop…</button></div>`;
}

function Needs({ state }) {
  const { needs } = state.head.board;
  const [isAll, setAll] = useState(false);
  if (!needs.length) return null;
  return html`<section aria-labelledby="needs"><h2 id="needs">${state.isPast ? "Needed somebody" : "Needs you"} <span class="count">${needs.length}</span></h2>
    <ul class="needs">${needs.slice(0, isAll ? needs.length : MOST_NEEDS).map((need) => html`<${Need} key=${`${need.why} ${need.tasks.join(" ")}`} need=${need} state=${state} />`)}</ul>
    ${state.head.is_over && place.run === null && state.head.project.cascade_file && needs.some(({ why }) => why === "failed") && html`<p class="quiet">Try again: <code>nova run ${quoted(state.head.project.cascade_file)} --retry-failed</code></p>`}
    ${needs.length > MOST_NEEDS && html`<button class="as-link" onClick=${() => setAll(!isAll)}>${isAll ? "Show fewer" : `Show all ${needs.length}`}</button>`}</section>`;
}

function Need({ need, state }) {
  const { tasks } = state, task = need.tasks.length === 1 ? tasks.get(need.tasks[0]) : null, canAct = !state.head.is_over;
  const held = need.why === "held" && canAct ? need.tasks.filter((id) => tasks.get(id)?.look.word === "on hold" || tasks.get(id)?.now.nova.is_stopped) : [];
  return html`<li class="need ${need.look.tone}">
    <p class="what"><${State} look=${need.look} /> ${task ? html`<${TaskLink} id=${task.id} name=${task.now.nova.name} />` : html`<${TaskLinks} ids=${need.tasks} tasks=${tasks} />`}</p>
    <p class="why"><${Prose} text=${need.text} />${need.cure && !state.isPast && html`<span class="quiet"> ${need.why === "gate" && canAct ? "" : html`→ <${Prose} text=${need.cure} />`}</span>`}</p>
    ${need.blocks.length > 0 && html`<p class="blocks quiet">blocks ${plural(need.blocks.length, "task")}: <${TaskLinks} ids=${need.blocks} tasks=${tasks} most=${8} /></p>`}
    ${held.length > 1 && html`<p class="row"><button onClick=${() => actions.retryTasks(state, held)}>Run all ${held.length} again</button></p>`}
    ${task && canAct && html`<p class="row">
      ${need.why === "gate" && html`<button class="primary" onClick=${() => actions.approve(state, task)}>Approve<span class="unseen"> ${oneLine(task.id)}</span></button>`}
      ${(need.why === "failed" || held.length === 1) && html`<button onClick=${() => actions.retryTask(state, task)}>Run again<span class="unseen"> ${oneLine(task.id)}</span></button>`}
      ${need.why === "denied" && html`<button onClick=${() => actions.retryTask(state, task)}>Run again…<span class="unseen"> ${oneLine(task.id)}</span></button>`}</p>`}
  </li>`;
}

function Spent({ state, nova }) {
  const { head: { board, nova: run }, tasks } = state, { total, spent = [] } = board;
  const budgets = run.budgets.filter((budget) => budget.task !== null && budget.is_used_up);
  return html`<section class="spent" aria-label="Progress, tokens and money">
    <div class="tile"><p class="label">Completed</p><p class="figure number">${total.completed}<small> of ${tasks.size}</small></p><${Bar} share=${total.completed / Math.max(tasks.size, 1)} tone="good" /></div>
    ${spent.map((each) => html`<div class="tile"><p class="label">${/[$~]/.test(each.text) ? "Cost" : "Tokens"}</p><p class="figure number">${clean(each.text)}</p>
      ${each.share !== null && html`<${Bar} share=${each.share} tone=${each.share >= 1 ? "bad" : each.share >= 0.8 ? "warning" : "busy"} />`}</div>`)}
    <${Limits} state=${state} nova=${nova} />
    ${budgets.length > 0 && html`<div class="tile limit"><p class="label warning">Used-up budgets</p><p><${TaskLinks} ids=${budgets.map((budget) => budget.task)} tasks=${tasks} /></p></div>`}
  </section>`;
}

function Running({ state, nova }) {
  const { head: { board, is_over: isOver }, tasks } = state;
  const at = useClock(nova, !isOver);
  const running = board.running.map((id) => tasks.get(id)).filter(Boolean);
  if (isOver && !running.length) return null;
  return html`<section aria-labelledby="running"><h2 id="running">${isOver ? "Lost" : "Running"} <span class="count">${running.length}</span></h2>
    ${!running.length && html`<p class="quiet">Nothing is at work at the moment.</p>`}
    <ul class="running">${running.slice(0, 60).map((task) => html`<${AtWork} key=${task.id} task=${task} state=${state} seconds=${Math.floor(secondsOf(task.now, at, isOver))} />`)}</ul></section>`;
}

function AtWork({ task, state, seconds }) {
  const { id, now, look } = task, canStop = !state.head.is_over && !now.nova.is_stopping;
  return html`<li><p class="what"><${State} look=${look} /> <${TaskLink} id=${id} name=${now.nova.name} /></p>
    <p class="doing" title=${oneLine(look.doing)}>${oneLine(look.doing, 200) || html`<span class="quiet">${oneLine(now.nova.agent)}</span>`}</p>
    <p class="figures number"><span>${stopwatch(seconds)}</span><span>${look.tokens || "–"}</span><span>${look.cost || "–"}</span></p>
    ${canStop && html`<button class="icon" onClick=${() => actions.stopTask(state, task)} aria-label="Stop ${oneLine(id)}" title="Stop">■</button>`}</li>`;
}

