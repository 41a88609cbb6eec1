// What the agent says and does, as it does: from the end of the log, further back on demand.
import { attemptPath, get } from "./api.js";
import { bytes, clean } from "./format.js";
import { Component, html, useEffect, useLayoutEffect, useRef, useState } from "./html.js";
import { EMPTY, withEarlier, withNext } from "./conversation_parts.js";

const FIRST = 64 * 1024; // bytes of the log, from its end, that are shown at first
const EARLIER = 128 * 1024; // bytes that are loaded at once further back
const LONGEST = 6000; // characters of an entry, until somebody wants all of it
const SIGNS = { thinking: "∴", prompt: "›", tool: "●", output: "│", failed: "✗", note: "·", warning: "!", end: "✓", error: "✗", text: "", other: "" };
const NAMES = { thinking: "thinks", prompt: "is told", tool: "calls", output: "gets", failed: "fails", note: "", warning: "warning", end: "ends", error: "fails", text: "says", other: "" };

export function Conversation({ id, attempt, hasLog, isOver, nova }) {
  const [shown, setShown] = useState(EMPTY), [error, setError] = useState(""), [isAtEnd, setAtEnd] = useState(true);
  const box = useRef(), keeper = useRef({});
  useEffect(() => {
    if (!hasLog) return undefined;
    const loader = new Loader(id, attempt, setShown, setError);
    keeper.current.loader = loader;
    loader.toEnd();
    const unfollow = isOver ? () => {} : nova.follow(id, attempt, (size) => loader.grown(size));
    return () => {
      unfollow();
      loader.end();
    };
  }, [id, attempt, hasLog, isOver]);
  useLayoutEffect(() => {
    const { current } = box;
    if (!current) return;
    if (keeper.current.below !== undefined) current.scrollTop = current.scrollHeight - keeper.current.below;
    else if (isAtEnd) current.scrollTop = current.scrollHeight;
    keeper.current.below = undefined;
  }, [shown]);
  if (!hasLog) return html`<p class="quiet">Nothing has been said yet.</p>`;
  if (error && !shown.parts.length) return html`<p class="quiet">${clean(error)}</p>`;
  const scrolled = () => {
    const { scrollTop, scrollHeight, clientHeight } = box.current;
    setAtEnd(scrollHeight - scrollTop - clientHeight < 40);
  };
  const earlier = async () => {
    keeper.current.below = box.current.scrollHeight - box.current.scrollTop;
    await keeper.current.loader.earlier();
  };
  const latest = () => {
    setAtEnd(true);
    if (shown.isCutBelow) keeper.current.loader.toEnd();
    else box.current.scrollTop = box.current.scrollHeight;
  };
  return html`<div class="conversation"><div class="scrolls" ref=${box} onScroll=${scrolled} tabindex="0" role="region" aria-label="Conversation">
      ${shown.from > 0 && html`<p class="row"><button class="as-link" onClick=${earlier}>Earlier <span class="quiet">(${bytes(shown.from)})</span></button></p>`}
      ${shown.parts.map((part) => html`<${Part} key=${part.from} part=${part} />`)}
      ${!shown.isOver && !isOver && html`<p class="waits" aria-hidden="true"><i></i><i></i><i></i></p>`}</div>
    ${(!isAtEnd || shown.isCutBelow) && html`<button class="latest" onClick=${latest}>Latest ↓</button>`}</div>`;
}

// Loads parts one after the other, however often it is told that there is more.
class Loader {
  #setShown;
  #setError;
  #shown = EMPTY;
  #abort = new AbortController();
  #isLoading = false;
  #isMore = false;

  constructor(id, number, setShown, setError) {
    this.path = `${attemptPath(id, number)}/conversation`;
    [this.#setShown, this.#setError] = [setShown, setError];
  }

  end() {
    this.#abort.abort();
  }

  toEnd() {
    this.#shown = EMPTY;
    return this.#load(`from=${-FIRST}`, withNext);
  }

  grown(size) {
    if (this.#isLoading) this.#isMore = true;
    else if (this.#shown.next !== null && size > this.#shown.next && !this.#shown.isCutBelow) this.#load(`from=${this.#shown.next}`, withNext);
  }

  async earlier() {
    const { from } = this.#shown;
    for (let back = EARLIER; !this.#isLoading; back *= 4) { // one line may be longer than that
      const begin = Math.max(from - back, 0);
      const told = await this.#load(`from=${begin}&until=${from}`, (shown, part) => (part.from < from ? withEarlier(shown, part) : shown));
      if (!told || told.from < from || begin === 0) return;
    }
  }

  async #load(query, join) {
    this.#isLoading = true;
    let told = null;
    try {
      told = await get(`${this.path}?${query}`, this.#abort.signal);
      this.#shown = join(this.#shown, told);
      this.#setShown(this.#shown);
      this.#setError("");
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#setError(error.message);
    }
    this.#isLoading = false;
    const { next, size, isCutBelow } = this.#shown;
    const isMore = this.#isMore || (next !== null && next < size && told?.entries.length > 0 && join === withNext);
    this.#isMore = false;
    if (told && isMore && next !== null && !isCutBelow && !this.#abort.signal.aborted) this.#load(`from=${next}`, withNext);
    return told;
  }
}

class Part extends Component {
  shouldComponentUpdate({ part }) {
    return part !== this.props.part;
  }

  render({ part }) {
    return part.entries.map((entry, place) => html`<${Entry} key=${place} entry=${entry} />`);
  }
}

class Entry extends Component {
  shouldComponentUpdate({ entry }, { isWhole }) {
    return entry !== this.props.entry || isWhole !== this.state.isWhole;
  }

  render({ entry }, { isWhole }) {
    const { kind, depth } = entry, text = clean(entry.text), isLong = text.length > LONGEST && !isWhole;
    const shown = isLong ? text.slice(0, LONGEST) : text;
    return html`<div class="entry ${kind} depth-${Math.min(depth, 3)}"><span class="sign" aria-hidden="true">${SIGNS[kind] ?? ""}</span>
      <div class="said">${NAMES[kind] && html`<span class="unseen">${NAMES[kind]}: </span>`}${kind === "tool" ? tool(shown) : shown}${isLong && html`<button class="as-link" onClick=${() => this.setState({ isWhole: true })}>… all ${text.length.toLocaleString("en-US")} characters</button>`}${entry.is_cut && !isLong && html`<p class="quiet">There is more of this in the raw log.</p>`}</div></div>`;
  }
}

// `Bash: pytest -q`: the name of the tool is read first.
function tool(text) {
  const at = text.indexOf(": ");
  return at > 0 && at < 60 && !text.slice(0, at).includes("\n") ? html`<b>${text.slice(0, at)}</b> <code>${text.slice(at + 2)}</code>` : html`<b>${text}</b>`;
}
