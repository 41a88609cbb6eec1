// A run of the past: what the journal has of it, in the same pages as the current one, but for what could be done.
import { dayAndTime } from "./format.js";
import { html, useEffect, useMemo } from "./html.js";
import { useLoaded } from "./loaded.js";
import { Prose } from "./parts.js";
import { pathOf } from "./place.js";
import { announce } from "./said.js";
import { NOTHING, ofPast } from "./state.js";

// The state of the run of that id; the current one where it is null. It is asked for again when the server is back.
export function usePast(run, current) {
  const path = pathOf(""), isWanted = run !== null && current.link === "live";
  const { told, error, path: of } = useLoaded(path, current.link, isWanted);
  const found = of === path ? told : null;
  const past = useMemo(() => found && ofPast(found), [found]);
  useEffect(() => {
    if (past && past.head.nova.run_id === current.head?.nova.run_id) toCurrent(run, past.head.nova.run_id);
  }, [past, current.head?.nova.run_id]);
  useEffect(() => {
    if (run === null || !past) return;
    announce(`${nameOf(past.head)}.`);
    document.getElementById("main")?.focus({ preventScroll: true });
  }, [run, Boolean(past)]);
  if (run === null) return current;
  return past ? { ...past, link: current.link } : { ...NOTHING, isPast: true, link: current.link, problem: of === path ? error : "" };
}

// The current run by the beginning of its id is the current run: its whole id takes its place in the address.
function toCurrent(beginning, id) {
  const [before, after] = [beginning, id].map(encodeURIComponent);
  history.replaceState(null, "", location.hash.replace(`#/runs/${before}`, `#/runs/${after}`));
  dispatchEvent(new CustomEvent("turned"));
}

// Run of 2026-11-26 14:03, failed
export function nameOf({ project, condition }) {
  return `Run of ${dayAndTime(project.started_at)}, ${condition === "completed" ? "finished" : condition}`;
}

export function PastRun({ state: { head } }) {
  return html`<aside class="banner past" aria-label="Which run is shown"><b>${head ? nameOf(head) : "A run of the past"}.</b> ${head && "Only what this run did itself is shown. "}<a href="#/">To the current run</a></aside>`;
}

export function NoPastRun({ state: { problem } }) {
  if (!problem) return html`<p class="empty quiet">…</p>`;
  return html`<section class="empty"><h1>This run cannot be shown</h1><p class="quiet"><${Prose} text=${problem} /></p><p><a href="#/runs">All runs</a></p></section>`;
}
