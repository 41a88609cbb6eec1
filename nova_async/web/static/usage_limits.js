// The usage limits of the accounts: those that tasks wait for, and how full the others are, with their resets.
import { clean, plural, whenToCome } from "./format.js";
import { html } from "./html.js";
import { Bar, TaskLinks } from "./parts.js";
import { useClock } from "./windowed.js";

const MOST = 12; // gauges, the fullest; each account has two or three
const NEAR = 0.8; // the used share from which a limit is near, as in `nova status`

export function Limits({ state, nova }) {
  const { head: { board: { limits, gauges = [] }, is_over: isOver }, tasks } = state;
  const at = Math.floor(useClock(nova, !isOver && limits.length + gauges.length > 0) / 1000) * 1000;
  const isAhead = (moment) => Date.parse(moment) > at;
  const shown = isOver ? [] : gauges.filter((gauge) => gauge.resets_at === null || isAhead(gauge.resets_at)).sort((one, other) => other.used - one.used);
  return html`
    ${limits.map((limit) => html`<div class="tile limit"><p class="label warning">${limit.name ? `${/ usage limit /.test(limit.reason) ? "Reached: " : ""}${clean(limit.name)}` : "Waiting"}</p>
      <p>${limit.until ? `${clean(limit.reason)} until ${whenToCome(limit.until, at)}` : clean(limit.text)}</p>
      <p class="quiet">${plural(limit.tasks.length, "task waits", "tasks wait")}: <${TaskLinks} ids=${limit.tasks} tasks=${tasks} most=${4} /></p></div>`)}
    ${shown.slice(0, MOST).map((gauge) => html`<div class="tile limit"><p class="label ${gauge.used >= NEAR ? "warning" : ""}">Usage limit</p><p>${clean(gauge.text)}</p>
      <p class="quiet number">${gauge.resets_at && `resets ${whenToCome(gauge.resets_at, at)}`}${gauge.next_start_at && isAhead(gauge.next_start_at) && html`<br />next start ${whenToCome(gauge.next_start_at, at)} (pace)`}</p>
      <${Bar} share=${gauge.used} tone=${gauge.used >= 1 ? "bad" : gauge.used >= NEAR ? "warning" : "busy"} /></div>`)}
    ${shown.length > MOST && html`<div class="tile limit"><p class="quiet">and ${plural(shown.length - MOST, "limit")} that ${shown.length - MOST === 1 ? "is" : "are"} less full</p></div>`}`;
}
