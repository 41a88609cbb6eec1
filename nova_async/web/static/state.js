// What is known of the run, from what the server tells. Pure: each function returns a new state.

export const NOTHING = Object.freeze({
  link: "connecting", // live, lost, refused
  isPast: false, // whether it is a run of the past, with which nothing can be done
  problem: "", // why there is no run, or no connection
  number: 0, // of the journal's latest event that is known: where a new connection goes on
  head: null, // the document without its tasks
  tasks: new Map(), // by id, in the order of the plan: {id, now, look}
  plan: 0, // becomes another number when there are other tasks, or their dependencies changed
  news: [], // the latest events, oldest first, each once
});

const MOST_NEWS = 200;

export function withSnapshot(state, told) {
  const tasks = new Map();
  for (const [id, now] of Object.entries(told.tasks ?? {})) tasks.set(id, entry(id, now, told.looks));
  const isSame = runOf(told) === runOf(state.head);
  const news = newsAfter(isSame ? state.news : [], told.events);
  return { ...state, problem: "", number: told.number, head: headOf(told), tasks, plan: state.plan + 1, news };
}

export function withChange(state, told) {
  if (!state.head) return withSnapshot(state, told);
  let tasks = state.tasks, plan = state.plan;
  const changed = Object.entries(told.tasks ?? {});
  if (changed.length) {
    tasks = new Map(tasks);
    for (const [id, now] of changed) {
      if (!sameNeeds(tasks.get(id)?.now, now)) plan = state.plan + 1;
      tasks.set(id, entry(id, now, told.looks));
    }
  }
  const number = Math.max(told.number, state.number);
  return { ...state, problem: "", number, head: headOf(told), tasks, plan, news: newsAfter(state.news, told.events) };
}

// A run of the past is a snapshot after which nothing follows.
export function ofPast(told) {
  const state = withSnapshot(NOTHING, told);
  return { ...state, isPast: true, head: { ...state.head, is_over: true } };
}

export function withoutRun(state, problem) {
  return { ...state, problem, number: 0, head: null, tasks: new Map(), plan: state.plan + 1, news: [] };
}

export function withLink(state, link, problem = state.problem) {
  return link === state.link && problem === state.problem ? state : { ...state, link, problem };
}

function entry(id, now, looks) {
  return { id, now, look: looks?.[id] ?? { sign: "", word: now.status, tone: "plain", doing: "", tokens: "", cost: "" } };
}

function headOf({ tasks, looks, events, number, ...head }) {
  return head;
}

function runOf(document) {
  return document?.nova?.run_id;
}

function sameNeeds(one, other) {
  return one?.nova.depends_on.join("\n") === other.nova.depends_on.join("\n");
}

function newsAfter(known, told = []) {
  const last = known.length ? known[known.length - 1].number : 0;
  const fresh = told.filter((event) => event.number > last);
  return fresh.length ? [...known, ...fresh].slice(-MOST_NEWS) : known;
}

// How long a task has worked: of a running attempt up to now, whenever that was written down.
export function secondsOf(now, at, isOver) {
  const { duration_seconds: known, attempts, earlier: before } = now.nova;
  if (now.nova.state !== "in_progress" || isOver || !now.started_at) return known;
  const earlier = attempts.reduce((sum, attempt) => sum + (attempt.duration_seconds ?? 0), before?.duration_seconds ?? 0);
  return Math.max(known, earlier + (at - Date.parse(now.started_at)) / 1000);
}

export const isAtWork = (task) => task.now.nova.state === "in_progress" || task.now.nova.state === "retrying";

// The tasks that wait for each task, by its id.
export function dependents(tasks) {
  const found = new Map();
  for (const task of tasks.values()) {
    for (const needed of task.now.nova.depends_on) {
      if (!found.has(needed)) found.set(needed, []);
      found.get(needed).push(task.id);
    }
  }
  return found;
}

// All that comes after a task, however far.
export function downstream(tasks, id) {
  const next = dependents(tasks), found = new Set(), open = [id];
  while (open.length) {
    for (const other of next.get(open.pop()) ?? []) {
      if (!found.has(other)) {
        found.add(other);
        open.push(other);
      }
    }
  }
  return found;
}

// The tasks whose words contain all words of a filter, and whose state is shown with this word.
export function matching(tasks, text, word) {
  const wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = [];
  for (const task of tasks.values()) {
    if (word && task.look.word !== word) continue;
    if (!wanted.length || wanted.every((each) => wordsOf(task).includes(each))) found.push(task);
  }
  return found;
}

const known = new WeakMap(); // what is searched, once for each state of a task

function wordsOf(task) {
  let words = known.get(task);
  if (words === undefined) {
    const { name, branch, group, agent } = task.now.nova;
    words = [task.id, name, branch, group, agent, task.look.word, task.look.doing].join(" ").toLowerCase();
    known.set(task, words);
  }
  return words;
}
