// How texts, times and numbers are written. Pure; the same words and figures as on a terminal (control/figures.py).

// What could not be seen, or would turn the text around it: it comes from agents and plans.
const UNSEEN = /[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u070f\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\udb40[\udc00-\udfff]/g;
// eslint-disable-next-line no-control-regex
const ESCAPES = /\x1b(?:\[[0-9;:<=>?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])/g;

// A text as it can be shown; lines and tabs stay.
export function clean(text) {
  return String(text ?? "").replace(ESCAPES, "").replace(/\r\n?/g, "\n").replace(UNSEEN, "");
}

export function oneLine(text, most = 400) {
  const line = clean(text).replace(/\s+/g, " ").trim();
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}

// 0:07, 12:03, 2:05:00
export function stopwatch(seconds) {
  const whole = Math.floor(Math.max(seconds, 0));
  const [minutes, rest] = [Math.floor(whole / 60), whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return minutes < 60 ? `${minutes}:${two(rest)}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(rest)}`;
}

// 0.8 s, 45 s, 12 min 3 s, 2 h 5 min
export function duration(seconds) {
  if (seconds < 10) return `${Math.max(seconds, 0).toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// 950, 12.3k, 123k, 4.5M
export function count(number) {
  if (number < 1000) return String(number);
  for (const [unit, size] of [["k", 1e3], ["M", 1e6], ["G", 1e9]]) {
    if (number < 99.95 * size) return `${(number / size).toFixed(1)}${unit}`;
    if (number < 999.5 * size) return `${(number / size).toFixed(0)}${unit}`;
  }
  return `${(number / 1e12).toFixed(1)}T`;
}

// $1,234.50, and below a cent $0.0042
export function dollars(usd) {
  if (usd > 0 && usd < 0.01) return `$${Number(usd.toPrecision(2)).toFixed(12).replace(/0+$/, "")}`;
  return `$${usd.toFixed(2).replace(/\B(?=(\d{3})+\.)/g, ",")}`;
}

// A word of a command as one would type it.
export function quoted(word) {
  const text = clean(word);
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replace(/'/g, "'\\''")}'`;
}

// What an agent has reported, and ~ before what was estimated; - where neither is known.
export function cost({ cost_usd: told, estimated_usd: estimated, cost_is_complete: complete = true }) {
  const usd = told === 0 && estimated ? null : told;
  const parts = [];
  if (usd != null) parts.push(dollars(usd));
  if (estimated != null && !(estimated === 0 && usd != null)) parts.push(`~${dollars(estimated)}`);
  if (!parts.length || !(usd || estimated || complete)) return "-";
  return (complete ? "" : "≥ ") + parts.join(" + ");
}

export function total(usage) {
  return usage ? usage.input_tokens + usage.output_tokens + usage.cache_read_tokens + usage.cache_creation_tokens : 0;
}

export function bytes(size) {
  if (size < 1000) return `${size} B`;
  for (const [unit, of] of [["kB", 1e3], ["MB", 1e6], ["GB", 1e9]]) {
    if (size < 999.5 * of) return `${(size / of).toFixed(size < 9.995 * of ? 1 : 0)} ${unit}`;
  }
  return `${(size / 1e12).toFixed(1)} TB`;
}

// A moment by this reader's clock: 14:03:22, with the day if it is not today.
export function clock(moment, now = Date.now()) {
  if (!moment) return "";
  const at = new Date(moment), today = new Date(now);
  const time = at.toLocaleTimeString("en-GB");
  return at.toDateString() === today.toDateString() ? time : `${day(at)} ${time}`;
}

// A moment to come, and how long that is: 15:54 (in 1 h 12 min), with the day if it is another.
export function whenToCome(moment, now = Date.now()) {
  const at = new Date(moment), seconds = Math.max((at - now) / 1000, 0), whole = Math.round(seconds);
  const days = Math.floor(whole / 86400), left = days ? `${days} d ${Math.floor((whole % 86400) / 3600)} h` : duration(seconds);
  const time = at.toLocaleTimeString("en-GB").slice(0, seconds < 120 ? 8 : 5);
  return `${at.toDateString() === new Date(now).toDateString() ? "" : `${day(at)} `}${time} (in ${left})`;
}

function day(at) {
  const two = (number) => String(number).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

// A moment with its day, for what is still read when today is long over: 2026-11-26 15:54.
export function dayAndTime(moment) {
  const at = new Date(moment);
  return `${day(at)} ${at.toLocaleTimeString("en-GB").slice(0, 5)}`;
}

export function plural(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en-US")} ${number === 1 ? one : many}`;
}
