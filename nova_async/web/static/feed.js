// What the server tells as it happens: server-sent events, read by fetch, so that a refusal and the server's clock are
// seen, and a connection that died in silence is noticed.

const RETRY = [0.3, 1, 2, 4, 8]; // seconds
const SILENCE = 40; // seconds; the server says something every 15

// Splits a stream of text into events: {kind, id, data}.
export class Events {
  #pieces = []; // of the event that has not ended; a snapshot comes in many
  #last = "";

  feed(text) {
    this.#pieces.push(text);
    const isWhole = (this.#last + text).includes("\n\n");
    this.#last = text.slice(-1) || this.#last;
    if (!isWhole) return [];
    const parts = this.#pieces.join("").split("\n\n");
    this.#pieces = [parts.pop()];
    return parts.map(parsed).filter(Boolean);
  }
}

function parsed(text) {
  const event = { kind: "message", id: null, data: "" };
  for (const line of text.split("\n")) {
    if (line.startsWith("data: ")) event.data += line.slice(6);
    else if (line.startsWith("event: ")) event.kind = line.slice(7);
    else if (line.startsWith("id: ")) event.id = Number(line.slice(4));
  }
  return event.data ? event : null;
}

// Listens without end. `told` gets each event, `linked` how the connection is: "live", "lost" or "refused" with why.
export class Feed {
  #told;
  #linked;
  #lastId = null;
  #logs = [];
  #abort = null;
  #timer = null;
  #tries = 0;
  #turn = 0;
  clockIsAhead = 0; // milliseconds by which the server's clock is ahead of ours

  constructor(told, linked) {
    this.#told = told;
    this.#linked = linked;
    const now = () => document.visibilityState === "visible" && this.#timer && this.open();
    addEventListener("online", now);
    document.addEventListener("visibilitychange", now);
  }

  // The attempts, written ID~N, of whose logs we want to know that they grow.
  follow(logs) {
    if (logs.join("\n") === this.#logs.join("\n")) return;
    this.#logs = logs;
    if (this.#abort) this.open();
  }

  forget() {
    this.#lastId = null;
  }

  async open() {
    const turn = ++this.#turn;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#abort?.abort();
    const abort = this.#abort = new AbortController();
    let why = "";
    try {
      why = await this.#listen(abort, turn);
    } catch (error) {
      why = "the server does not answer";
    }
    if (turn !== this.#turn) return;
    const seconds = RETRY[Math.min(this.#tries++, RETRY.length - 1)];
    if (why !== null) this.#linked("lost", why);
    this.#timer = setTimeout(() => this.open(), (why === null ? 30 : seconds) * 1000);
  }

  async #listen(abort, turn) {
    const query = this.#logs.map((log) => `log=${encodeURIComponent(log)}`).join("&");
    const headers = this.#lastId ? { "Last-Event-ID": String(this.#lastId) } : {};
    let beat = setTimeout(() => abort.abort(), SILENCE * 1000);
    try {
      const answer = await fetch(`/api/v1/events${query && "?"}${query}`, { headers, signal: abort.signal, cache: "no-store" });
      if (answer.status === 401 || answer.status === 403) {
        this.#linked("refused", "");
        return null;
      }
      if (!answer.ok) return (await answer.json()).error;
      const ahead = Date.parse(answer.headers.get("date")) - Date.now();
      this.clockIsAhead = Math.abs(ahead) > 2000 ? ahead : 0; // the header knows seconds only
      const events = new Events(), reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done || turn !== this.#turn) return "the server has ended";
        clearTimeout(beat);
        beat = setTimeout(() => abort.abort(), SILENCE * 1000);
        for (const event of events.feed(value)) {
          this.#tries = 0;
          this.#linked("live", "");
          if (event.id !== null) this.#lastId = event.id;
          this.#told(event.kind, JSON.parse(event.data));
        }
      }
    } finally {
      clearTimeout(beat);
    }
  }
}
