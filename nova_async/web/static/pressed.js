// While the mouse is pressed, nothing may move: a click counts only where the mouse is let go on what it was pressed on.

const LONGEST = 5000; // milliseconds that the page stands still, should it never hear that the mouse was let go

let timer = null; // runs while the mouse is pressed
let waiting = null;

// Does it at once, or as soon as the mouse is let go; of several, the last.
export function unlessPressed(act) {
  if (timer === null) act();
  else waiting = act;
}

function letGo() {
  clearTimeout(timer);
  timer = null;
  waiting?.();
  waiting = null;
}

const afterClick = () => timer !== null && setTimeout(letGo); // the click comes after these events

addEventListener("pointerdown", () => {
  clearTimeout(timer);
  timer = setTimeout(letGo, LONGEST);
}, { capture: true });
addEventListener("pointerup", afterClick, { capture: true });
addEventListener("pointercancel", afterClick, { capture: true });
addEventListener("pointermove", (event) => event.buttons || afterClick(), { capture: true, passive: true });
