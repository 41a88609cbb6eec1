// A document of the server, asked for again when what it depends on has changed, but not too often.
import { get } from "./api.js";
import { useEffect, useRef, useState } from "./html.js";

const REST = 1000; // milliseconds between two answers, or ten times what the answer took

// `key`: when it changes, the document is asked for again. `isWanted`: false while nobody sees it.
// Gives {told, error}; what was told before stays until there is something new.
export function useLoaded(path, key, isWanted = true) {
  const [shown, setShown] = useState({ told: null, error: "", path });
  const timing = useRef({ next: 0 });
  useEffect(() => {
    if (!isWanted) return undefined;
    const abort = new AbortController();
    const load = async () => {
      const begun = performance.now();
      try {
        const told = await get(path, abort.signal);
        setShown({ told, error: "", path });
      } catch (error) {
        if (!abort.signal.aborted) setShown((before) => ({ told: before.path === path ? before.told : null, error: error.message, path }));
      }
      timing.current.next = performance.now() + Math.max(REST, 10 * (performance.now() - begun));
    };
    const timer = setTimeout(load, Math.max(timing.current.next - performance.now(), 0));
    return () => {
      clearTimeout(timer);
      if (!isWanted) abort.abort();
    };
  }, [path, key, isWanted]);
  return shown;
}

// Whether an element can be seen, or nearly.
export function useSeen(element) {
  const [isSeen, setSeen] = useState(false);
  useEffect(() => {
    if (!element.current) return undefined;
    const watch = new IntersectionObserver(([entry]) => setSeen(entry.isIntersecting), { rootMargin: "200px" });
    watch.observe(element.current);
    return () => watch.disconnect();
  }, []);
  return isSeen;
}
