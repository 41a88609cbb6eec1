// The page: what is shown where, and what keeps it up to date.
import { Refused, post } from "./api.js";
import { Dialogs } from "./dialogs.js";
import { Feed } from "./feed.js";
import { clean, oneLine } from "./format.js";
import { html, render, useEffect, useState } from "./html.js";
import { HelpButton, Keys } from "./keys.js";
import { CostPage } from "./cost.js";
import { GraphPage } from "./graph.js";
import { NoPastRun, PastRun, nameOf, usePast } from "./past.js";
import { hashOf, place, routeOf } from "./place.js";
import { PlanPage } from "./plan.js";
import { RunPage } from "./run.js";
import { RunsPage } from "./runs.js";
import { TaskPage } from "./task.js";
import { ThemeSwitch } from "./theme_switch.js";
import { unlessPressed } from "./pressed.js";
import { NOTHING, withChange, withLink, withSnapshot, withoutRun } from "./state.js";
import { announce, announceChanges } from "./said.js";
import { forgetView } from "./tasks.js";

const PAGES = [["", "Run"], ["graph", "Graph"], ["runs", "Runs"], ["cost", "Cost"], ["plan", "Plan"]];

let state = NOTHING;
let redraw = () => {};
let isDrawing = false;
const grown = new Map(); // by ID~N: what wants to know that this log has grown

function show(next) {
  if (next === state) return;
  if (place.run === null) announceChanges(state, next); // or it would sound like news of the past
  state = next;
  if (isDrawing) return;
  isDrawing = true;
  const draw = () => {
    isDrawing = false;
    redraw(state);
  };
  if (document.visibilityState === "visible") requestAnimationFrame(() => unlessPressed(draw));
  else setTimeout(draw, 500); // nobody looks, and no frame is drawn
}

const feed = new Feed(
  (kind, told) => {
    if (kind === "snapshot") show(withSnapshot(state, told));
    else if (kind === "change") show(withChange(state, told));
    else if (kind === "nothing") show(withoutRun(state, told.error));
    else if (kind === "log") grown.get(`${told.task}~${told.attempt}`)?.(told.size);
  },
  (link, problem) => {
    if (link === "lost" && state.link === "live") announce("Disconnected. Connecting again.");
    if (link === "live" && state.link === "lost") announce("Connected again.");
    show(withLink(state, link, link === "live" && !state.head ? state.problem : problem));
  },
);

// What the parts of the page share. `follow` asks to be told when the log of an attempt grows, and returns how to end it.
export const nova = {
  now: () => Date.now() + feed.clockIsAhead,
  state: () => state,
  follow(id, number, told) {
    const key = `${id}~${number}`;
    grown.set(key, told);
    feed.follow([...grown.keys()]);
    return () => {
      grown.delete(key);
      feed.follow([...grown.keys()]);
    };
  },
  go(path) {
    location.hash = hashOf(path);
  },
};

function App() {
  const [current, setCurrent] = useState(state);
  const [route, setRoute] = useState(routeOf(location.hash));
  redraw = setCurrent;
  useEffect(() => {
    const changed = () => {
      if (location.hash.startsWith("#token=")) return void begin();
      setRoute(routeOf(location.hash));
      scrollTo(0, 0);
    };
    const turned = () => setRoute(routeOf(location.hash)); // another tab of the same page: nothing is scrolled
    addEventListener("hashchange", changed);
    addEventListener("turned", turned);
    return () => {
      removeEventListener("hashchange", changed);
      removeEventListener("turned", turned);
    };
  }, []);
  place.run = route.run === current.head?.nova.run_id ? null : route.run;
  const shown = usePast(place.run, current);
  useEffect(() => {
    document.title = titleOf(shown, route);
  }, [shown, route]);
  useEffect(forgetView, [place.run]);
  if (shown.link === "refused") return html`<${TokenPage} />`;
  return html`
    <${Head} state=${shown} page=${route.page} />
    <${Lost} state=${shown} />
    ${shown.isPast && html`<${PastRun} state=${shown} />`}
    <main id="main" tabindex="-1">${pageOf(shown, route)}</main>
    <${Dialogs} />
    <${Keys} state=${shown} route=${route} nova=${nova} />`;
}

function skip(event, target) {
  event.preventDefault();
  document.getElementById(target)?.focus();
}

function pageOf(shown, { page, rest }) {
  const key = place.run ?? ""; // another run begins anew
  if (page === "runs") return html`<${RunsPage} state=${shown} />`;
  if (page === "plan") return html`<${PlanPage} state=${shown} nova=${nova} />`;
  if (shown.isPast && !shown.head) return html`<${NoPastRun} state=${shown} />`;
  if (page === "cost") return html`<${CostPage} key=${key} state=${shown} nova=${nova} />`;
  if (!shown.head) return html`<${NoRun} state=${shown} />`;
  if (page === "graph") return html`<${GraphPage} key=${key} state=${shown} nova=${nova} />`;
  if (page === "task" && rest[0]) {
    return html`<${TaskPage} key=${`${key}/${rest[0]}`} state=${shown} nova=${nova} id=${rest[0]} tab=${rest[1] || "conversation"} />`;
  }
  return html`<${RunPage} key=${key} state=${shown} nova=${nova} />`;
}

function titleOf({ head, tasks, isPast }, { page, rest }) {
  if (!head) return "nova";
  const total = head.board.total;
  const what = page === "task" ? rest[0] : head.project.name || "nova";
  if (isPast) return oneLine(`${what} · ${nameOf(head)}`, 80);
  const sign = head.board.needs.length ? "● " : "";
  return oneLine(`${sign}${total.completed}/${tasks.size} ${what}`, 80);
}

function Head({ state: { link, head }, page }) {
  const target = page || !head ? "main" : "tasks";
  return html`<header class="head">
    <a class="skip" href=${`#${target}`} onClick=${(event) => skip(event, target)}>Skip to the ${target === "tasks" ? "table of tasks" : "content"}</a>
    <a class="brand" href="#/" aria-label="nova, the current run"><svg width="18" height="18" viewBox="0 0 32 32" aria-hidden="true"><path d="M16 2l3.4 10.6L30 16l-10.6 3.4L16 30l-3.4-10.6L2 16l10.6-3.4z" /></svg><span>nova</span></a>
    <nav aria-label="Pages">${PAGES.map(([path, name]) => html`
      <a href=${path === "runs" || path === "plan" ? `#/${path}` : hashOf(path)} aria-current=${page === path || (!path && page === "task") ? "page" : null}>${name}</a>`)}</nav>
    <span class="link ${link}" title=${link === "live" ? "The page is told at once what changes" : ""}>
      <i aria-hidden="true"></i>${link === "live" ? (head && !head.is_over ? "live" : "connected") : link === "lost" ? "disconnected" : "connecting"}</span>
    <${HelpButton} />
    <${ThemeSwitch} />
  </header>`;
}

function Lost({ state: { link, problem, head } }) {
  if (link !== "lost") return null;
  return html`<p class="banner"><b>Disconnected</b>: ${clean(problem)}. ${head ? "What you see may be out of date. " : ""}The page connects again by itself.</p>`;
}

function NoRun({ state: { link, problem } }) {
  if (link === "connecting") return html`<p class="empty quiet">Connecting…</p>`;
  return html`<section class="empty"><h1>No run here yet</h1><p class="quiet">${clean(problem) || "The server has not said why."}</p>
    <p class="quiet">As soon as one begins in this folder, it is shown here.</p></section>`;
}

function TokenPage() {
  const [problem, setProblem] = useState("");
  const enter = async (event) => {
    event.preventDefault();
    const said = event.target.elements.token.value.trim();
    setProblem(await logIn(said.replace(/^.*#token=/, "")));
  };
  return html`<main class="empty"><h1>Open the address that <code>nova serve</code> printed</h1>
    <p class="quiet">It ends in a token, which this page needs to be shown anything; each start of <code>nova serve</code> has its own.</p>
    <form onSubmit=${enter} class="row"><label for="token">Address or token</label><input id="token" name="token" autocomplete="off" spellcheck=${false} required />
      <button class="primary">Open</button></form>
    ${problem && html`<p class="bad" role="alert">${problem}</p>`}</main>`;
}

async function logIn(token) {
  try {
    await post("session", { token });
  } catch (error) {
    return error instanceof Refused ? "This is not the token of the server that runs now." : "The server does not answer.";
  }
  show(withLink(state, "connecting", ""));
  feed.open();
  return "";
}

async function begin() {
  const found = /^#token=(.+)$/.exec(location.hash);
  if (!found) return void feed.open();
  history.replaceState(null, "", `${location.pathname}#/`); // the token must not stay where it can be copied by mistake
  dispatchEvent(new HashChangeEvent("hashchange"));
  if (await logIn(decodeURIComponent(found[1]))) feed.open(); // the cookie of an earlier visit may do
}

render(html`<${App} />`, document.getElementById("app"));
begin();
