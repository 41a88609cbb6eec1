// The log of an attempt byte for byte, but for what cannot be seen: a part at its end, further back on demand.
import { attemptPath, range } from "./api.js";
import { bytes, clean } from "./format.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "./html.js";

const PART = 64 * 1024; // bytes loaded at once
const MOST = 512 * 1024; // bytes shown at once; the rest is loaded again when it is wanted

export function RawLog({ id, attempt, hasLog, isOver, nova }) {
  const [shown, setShown] = useState(null), [error, setError] = useState(""), box = useRef(), keeper = useRef({});
  useEffect(() => {
    if (!hasLog) return undefined;
    const abort = new AbortController();
    let latest = null, isLoading = false, isMore = false;
    const show = (next) => setShown((latest = next));
    const more = async () => {
      if (isLoading) return void (isMore = true);
      isLoading = true;
      try {
        const wanted = latest ? `${latest.to}-${latest.to + MOST}` : `-${PART}`;
        const part = await range(id, attempt, wanted, abort.signal);
        if (!latest || part.content.length) show(after(latest, part));
        setError("");
      } catch (problem) {
        if (!abort.signal.aborted) setError(problem.message);
      }
      isLoading = false;
      if (isMore && !abort.signal.aborted) {
        isMore = false;
        more();
      }
    };
    keeper.current.earlier = async () => {
      if (!latest?.from) return;
      const part = await range(id, attempt, `${Math.max(latest.from - PART, 0)}-${latest.from - 1}`, abort.signal);
      keeper.current.below = box.current.scrollHeight - box.current.scrollTop;
      show(before(latest, part));
    };
    more();
    const unfollow = isOver ? () => {} : nova.follow(id, attempt, (size) => (!latest || size > latest.to) && !latest?.isCut && more());
    return () => {
      unfollow();
      abort.abort();
    };
  }, [id, attempt, hasLog, isOver]);
  useLayoutEffect(() => {
    const { current } = box;
    if (!current) return;
    if (keeper.current.below !== undefined) current.scrollTop = current.scrollHeight - keeper.current.below;
    else if (keeper.current.isAway !== true) current.scrollTop = current.scrollHeight;
    keeper.current.below = undefined;
  }, [shown]);
  if (!hasLog) return html`<p class="quiet">There is no log yet.</p>`;
  if (!shown) return html`<p class="quiet">${clean(error) || "…"}</p>`;
  const scrolled = () => (keeper.current.isAway = box.current.scrollHeight - box.current.scrollTop - box.current.clientHeight > 40);
  return html`<div class="raw"><div class="scrolls" ref=${box} onScroll=${scrolled} tabindex="0" role="region" aria-label="Raw log">
    ${shown.from > 0 && html`<button class="as-link" onClick=${() => keeper.current.earlier()}>Earlier <span class="quiet">(${bytes(shown.from)})</span></button>`}
    <pre>${shown.text}</pre>${shown.isCut && html`<p class="quiet">What follows is in the download.</p>`}</div>
    <p class="quiet">${bytes(shown.size)} · <a href=${`/api/v1/${attemptPath(id, attempt)}/log?download`} download>Download</a></p></div>`;
}

// What is shown, as bytes and as text: a character may be cut at either end.
const made = (from, content, size, isCut) => ({ from, content, to: from + content.length, size, isCut, text: clean(new TextDecoder().decode(content)) });

function after(latest, part) {
  if (!latest) return made(part.from, part.content, part.size, false);
  const all = joined(latest.content, part.content), cut = Math.max(all.length - MOST, 0);
  return made(latest.from + cut, all.subarray(cut), part.size, false);
}

function before(latest, part) {
  const all = joined(part.content, latest.content);
  return made(part.from, all.subarray(0, MOST), part.size, latest.isCut || all.length > MOST);
}

function joined(first, second) {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}
