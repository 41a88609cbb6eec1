// A conversation as far as it is loaded: parts of the log, each with its entries. Pure.

export const MOST_ENTRIES = 1200; // kept at once: what scrolls smoothly on a telephone

export const EMPTY = Object.freeze({ parts: [], from: 0, next: 0, size: 0, isOver: false, isCutBelow: false });

const length = (parts) => parts.reduce((sum, part) => sum + part.entries.length, 0);

// The parts with what comes after them; the oldest go if there are too many.
export function withNext(shown, told) {
  let parts = shown.parts;
  const entries = [...told.entries], last = parts[parts.length - 1];
  if (last?.entries.length && entries[0]?.continues) {
    const joined = [...last.entries], open = joined.pop(), more = entries.shift();
    parts = [...parts.slice(0, -1), { ...last, entries: [...joined, joinedWith(open, more)] }];
  }
  if (entries.length) parts = [...parts, { from: told.from, entries: merged(entries) }];
  while (parts.length > 1 && length(parts) > MOST_ENTRIES) parts = parts.slice(1);
  return { ...shown, parts, from: parts[0]?.from ?? told.from, next: told.next, size: told.size, isOver: told.next === null };
}

// The parts with what comes before them; the newest go if there are too many.
export function withEarlier(shown, told) {
  let parts = [{ from: told.from, entries: merged(told.entries) }, ...shown.parts], { isCutBelow } = shown;
  while (parts.length > 1 && length(parts) > MOST_ENTRIES) {
    parts = parts.slice(0, -1);
    isCutBelow = true;
  }
  return { ...shown, parts, from: told.from, isCutBelow };
}

function joinedWith(open, more) {
  return { ...open, text: open.text + more.text, is_open: more.is_open };
}

function merged(entries) {
  const found = [];
  for (const entry of entries) {
    if (entry.continues && found.length) found.push(joinedWith(found.pop(), entry));
    else found.push(entry);
  }
  return found;
}
