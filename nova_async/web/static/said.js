// What is said to those who cannot see the page, and shown for a while to those who can: one polite live region.
import { oneLine } from "./format.js";

const MOST_TASKS = 3; // named one by one when several change at once
const TOLD = new Set(["failed", "completed", "blocked", "to approve", "on hold"]);

let waiting = null;
let queue = [];
let listener = () => {};

export function onNotice(told) {
  listener = told;
}

// Says something; several within a moment are one sentence, so that nothing is talked over.
export function announce(text) {
  queue.push(text);
  waiting ??= setTimeout(() => {
    waiting = null;
    document.getElementById("said").textContent = queue.join(" ");
    queue = [];
  }, 400);
}

// Says it, and shows it too.
export function notice(text, tone = "plain") {
  listener({ text: oneLine(text), tone });
  announce(oneLine(text));
}

export function announceChanges(before, after) {
  if (!before.head || !after.head || before.head.nova.run_id !== after.head.nova.run_id) return;
  if (before.tasks !== after.tasks) {
    const changed = [];
    for (const [id, task] of after.tasks) {
      const old = before.tasks.get(id);
      if (old && old !== task && old.look.word !== task.look.word && TOLD.has(task.look.word)) changed.push(task);
    }
    for (const task of changed.slice(0, MOST_TASKS)) announce(`${oneLine(task.id)} ${task.look.word}.`);
    if (changed.length > MOST_TASKS) announce(`${changed.length - MOST_TASKS} more tasks changed.`);
  }
  if (!before.head.is_over && after.head.is_over) announce(`The run is over: ${after.head.condition}.`);
}
