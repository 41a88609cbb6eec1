// Dark, light, or as the system is.
import { html, useState } from "./html.js";

const NEXT = { auto: "light", light: "dark", dark: "auto" };
const SIGNS = { auto: "◐", light: "☀", dark: "☾" };

export function ThemeSwitch() {
  const [theme, setTheme] = useState(document.documentElement.dataset.theme ?? "auto");
  const change = () => {
    const next = NEXT[theme];
    if (next === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    try {
      localStorage.setItem("nova-theme", next);
    } catch { /* a browser that keeps nothing */ }
    setTheme(next);
  };
  return html`<button class="icon" onClick=${change} aria-label="Theme: ${theme}. Change it" title="Theme: ${theme}">
    <span aria-hidden="true">${SIGNS[theme]}</span></button>`;
}
