// Before anything is drawn: the theme that was chosen here, or the system's.
try {
  const chosen = localStorage.getItem("nova-theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
} catch { /* a browser that keeps nothing */ }
