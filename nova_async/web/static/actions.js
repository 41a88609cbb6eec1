// What the run can be asked to do. Where work would be lost, the person is asked first.
import { post, taskPath } from "./api.js";
import { confirm } from "./dialogs.js";
import { oneLine, plural } from "./format.js";
import { notice } from "./said.js";
import { downstream, isAtWork } from "./state.js";

async function act(path, body, done) {
  try {
    const answer = await post(path, body);
    notice(typeof done === "function" ? done(answer) : done);
  } catch (error) {
    notice(error.message, "bad");
  }
}

function isOver(state) {
  if (!state.head?.is_over) return false;
  if (state.isPast) {
    notice("This is a run of the past: go to the current run first.", "warning");
    return true;
  }
  notice("The run is over: `nova run` goes on with it.", "warning");
  return true;
}

export async function stopRun(state) {
  if (isOver(state)) return;
  const running = state.head.board.running.length;
  const text = running
    ? `${plural(running, "agent is", "agents are")} at work. They are asked to end, as by Ctrl-C; the next \`nova run\` goes on in their sessions.`
    : "Nothing begins any more. The next `nova run` goes on.";
  if (await confirm({ title: "Stop the run?", text, yes: "Stop the run", no: "Let it run", tone: "danger" })) {
    await act("stop", {}, "The run stops.");
  }
}

export async function stopTask(state, task) {
  if (isOver(state)) return;
  if (!isAtWork(task)) return void notice(`${task.id} is not at work.`, "warning");
  const text = "Its agent is asked to end; what it has changed stays. The task waits until it is run again, in the same session.";
  if (await confirm({ title: `Stop ${oneLine(task.id, 60)}?`, text, yes: "Stop it", no: "Let it run", tone: "danger" })) {
    await act(`${taskPath(task.id)}/stop`, {}, `${task.id} is asked to stop.`);
  }
}

export async function retryTask(state, task, withDownstream = false) {
  if (isOver(state)) return;
  const after = withDownstream ? downstream(state.tasks, task.id).size : 0;
  const isDone = task.now.nova.state === "completed";
  if (isDone || (withDownstream && after)) {
    const title = `Run ${oneLine(task.id, 60)}${after ? ` and ${plural(after, "task")} after it` : ""} again?`;
    const text = `${isDone ? "It has completed: its result is replaced. " : ""}Every task that runs again costs again.`;
    if (!await confirm({ title, text, yes: "Run again" })) return;
  }
  const body = withDownstream ? { downstream: true } : {};
  await act(`${taskPath(task.id)}/retry`, body, (answer) => `Runs again: ${(answer.tasks ?? [task.id]).join(", ")}.`);
}

// Tasks that wait for what somebody has mended meanwhile: a login, say.
export async function retryTasks(state, ids) {
  if (isOver(state)) return;
  await act("retry", { tasks: ids }, (answer) => `Runs again: ${(answer.tasks ?? ids).join(", ")}.`);
}

export async function approve(state, task) {
  if (isOver(state)) return;
  if (!task.now.nova.needs_approval) return void notice(`${task.id} does not wait for approval.`, "warning");
  await act(`${taskPath(task.id)}/approve`, {}, `${task.id} is approved.`);
}

export async function pauseOrResume(state) {
  if (isOver(state)) return;
  const isPaused = state.head.nova.is_paused;
  await act(isPaused ? "resume" : "pause", {}, isPaused ? "The run goes on." : "Paused: nothing new begins.");
}

export async function setWorkers(state, wanted) {
  if (isOver(state) || wanted < 1) return;
  await act("workers", { count: wanted }, `${plural(wanted, "task")} at once from now on.`);
}

export async function changeBudget(state) {
  if (isOver(state)) return;
  const budget = state.head.nova.budgets.find((each) => each.task === null);
  const fields = [
    { name: "usd", label: "US dollars", value: budget?.max_cost_usd, pattern: "[0-9]*\\.?[0-9]+" },
    { name: "tokens", label: "Tokens", value: budget?.max_tokens, pattern: "[0-9]+" },
  ];
  const text = "For the whole run, what it has used already included. A field that is left empty stays as it is.";
  const said = await confirm({ title: "The run's budget", text, fields, yes: "Set the budget" });
  const body = Object.fromEntries(Object.entries(said ?? {}).filter(([, value]) => value).map(([name, value]) => [name, Number(value)]));
  if (Object.keys(body).length) await act("budget", body, "The budget is set.");
}
