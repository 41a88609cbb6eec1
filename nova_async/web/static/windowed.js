// Of a long list, only the rows that can be seen, and some around them: all have the same height.
import { useEffect, useState } from "./html.js";

const AROUND = 12; // rows drawn beyond either edge, so that scrolling shows no blank before the next frame
const LEAST = 40; // rows drawn even where none is in sight, for those who do not look but listen
const ALWAYS = 120; // rows: a list that is no longer is drawn whole, and can be searched by the browser

// `box` is the element whose first row is at its top. Gives [first, last) of what to draw.
export function useWindowed(box, length, height) {
  const [seen, setSeen] = useState([0, ALWAYS]);
  useEffect(() => {
    if (length <= ALWAYS) return undefined;
    let frame = null;
    const look = () => {
      frame = null;
      if (!box.current) return;
      const { top } = box.current.getBoundingClientRect();
      const scroller = box.current.closest(".scrolls");
      const from = scroller ? scroller.getBoundingClientRect().top : 0;
      const room = scroller ? scroller.clientHeight : innerHeight;
      const first = Math.max(Math.floor((from - top) / height) - AROUND, 0);
      const last = Math.max(Math.ceil((from - top + room) / height) + AROUND, first + LEAST);
      setSeen((before) => (before[0] === first && before[1] === last ? before : [first, last]));
    };
    const soon = () => {
      frame ??= requestAnimationFrame(look);
    };
    look();
    addEventListener("scroll", soon, { passive: true, capture: true });
    addEventListener("resize", soon);
    return () => {
      cancelAnimationFrame(frame);
      removeEventListener("scroll", soon, { capture: true });
      removeEventListener("resize", soon);
    };
  }, [length, height]);
  return length <= ALWAYS ? [0, length] : [Math.min(seen[0], length), Math.min(Math.max(seen[1], 0), length)];
}

// Whether the window is as narrow as that of a telephone.
export function useNarrow(width = 720) {
  const [query] = useState(() => matchMedia(`(max-width: ${width}px)`));
  const [isNarrow, setNarrow] = useState(query.matches);
  useEffect(() => {
    const changed = () => setNarrow(query.matches);
    query.addEventListener("change", changed);
    return () => query.removeEventListener("change", changed);
  }, []);
  return isNarrow;
}

// The time, once a second while something runs.
export function useClock(nova, isRunning) {
  const [at, setAt] = useState(nova.now());
  useEffect(() => {
    if (!isRunning) return undefined;
    const timer = setInterval(() => document.visibilityState === "visible" && setAt(nova.now()), 1000);
    return () => clearInterval(timer);
  }, [isRunning]);
  return isRunning ? Math.max(at, nova.now()) : at;
}
