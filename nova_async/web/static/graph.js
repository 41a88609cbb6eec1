// What depends on what. Laid out by the server; only what can be seen of it is drawn.
import { clean, oneLine, plural } from "./format.js";
import { html, useEffect, useMemo, useRef, useState } from "./html.js";
import { useLoaded } from "./loaded.js";
import { State, taskHash } from "./parts.js";
import { hashOf, pathOf } from "./place.js";

const PAD = 16, ZOOMS = [0.25, 0.4, 0.6, 0.8, 1, 1.25, 1.6];
const ROOM = 37; // pixels of a node before and after its text
const pen = document.createElement("canvas").getContext("2d");

export function GraphPage({ state }) {
  const { told, error } = useLoaded(pathOf("graph"), `${state.plan} ${state.head.nova.run_id}`);
  const [zoom, setZoom] = useState(null);
  const looks = new Map([...state.tasks.values()].map(({ look }) => [look.word, look]));
  const width = (told?.width ?? 0) + 2 * PAD;
  const fit = ZOOMS.findLast((each) => each <= 1 && width * each <= innerWidth - 48) ?? ZOOMS[0];
  const now = zoom ?? Math.max(fit, 0.6);
  const step = (by) => setZoom(ZOOMS[Math.min(Math.max(ZOOMS.indexOf(now) + by, 0), ZOOMS.length - 1)]);
  return html`<section aria-labelledby="graph"><div class="title"><h1 id="graph">Graph</h1>
    <span class="legend">${[...looks.values()].map((look) => html`<${State} look=${look} />`)}</span>
    <span class="stepper" role="group" aria-label="Zoom"><button aria-label="Smaller" onClick=${() => step(-1)}>−</button><span class="number">${Math.round(now * 100)} %</span>
      <button aria-label="Larger" onClick=${() => step(1)}>+</button></span><button onClick=${() => setZoom(fit)}>Fit</button></div>
    ${told ? html`<${Drawn} told=${told} tasks=${state.tasks} zoom=${now} />` : html`<p class="quiet">${clean(error) || "…"}</p>`}
    <p class="quiet">The same as a table: <a href=${hashOf("")}>all tasks</a>, and what each depends on in its own page.</p></section>`;
}

function Drawn({ told, tasks, zoom }) {
  const box = useRef(), [seen, setSeen] = useState([0, 0, 3000, 2000]);
  const { width: wide, height: high } = told.node;
  useEffect(() => {
    let frame = null;
    const look = () => {
      frame = null;
      const { scrollLeft: x, scrollTop: y, clientWidth, clientHeight } = box.current;
      setSeen([x / zoom - 400, y / zoom - 300, (x + clientWidth) / zoom + 400, (y + clientHeight) / zoom + 300]);
    };
    const soon = () => (frame ??= requestAnimationFrame(look));
    look();
    box.current.addEventListener("scroll", soon, { passive: true });
    addEventListener("resize", soon);
    return () => {
      cancelAnimationFrame(frame);
      box.current?.removeEventListener("scroll", soon);
      removeEventListener("resize", soon);
    };
  }, [told, zoom]);
  const [left, top, right, bottom] = seen;
  const nodes = useMemo(() => told.nodes.filter(({ x, y }) => x < right && x + wide > left && y < bottom && y + high > top), [told, seen]);
  const edges = useMemo(() => told.edges.filter((edge) => edge.x1 < right && edge.x2 > left && Math.min(edge.y1, edge.y2) < bottom && Math.max(edge.y1, edge.y2) > top), [told, seen]);
  const [width, height] = [told.width + 2 * PAD, told.height + 2 * PAD];
  const label = `Graph of ${plural(told.nodes.length, "task")} with ${plural(told.edges.length, "dependency", "dependencies")}`;
  return html`<div class="scrolls graph" ref=${box} tabindex="0" role="group" aria-label="The graph; it scrolls"><svg role="img" aria-label=${label} width=${width * zoom} height=${height * zoom} viewBox=${`${-PAD} ${-PAD} ${width} ${height}`}>
    ${edges.map((edge) => html`<${Edge} key=${`${edge.source} ${edge.target}`} edge=${edge} isDone=${tasks.get(edge.source)?.look.tone === "good"} />`)}
    ${nodes.map((node) => html`<${Node} key=${node.task} node=${node} task=${tasks.get(node.task)} wide=${wide} high=${high} />`)}</svg></div>`;
}

function Edge({ edge: { x1, y1, x2, y2 }, isDone }) {
  const bend = Math.max((x2 - x1) / 2, 24);
  return html`<path class="edge ${isDone ? "done" : ""}" d=${`M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`} />`;
}

function Node({ node, task, wide, high }) {
  if (!task) return null;
  const { look, now } = task, text = oneLine(`${task.id} ${now.nova.name}`, 200);
  const [id, used] = fitted(oneLine(task.id, 60), wide - ROOM, "650"), [name] = fitted(oneLine(now.nova.name, 60), wide - ROOM - used - 6, "400");
  return html`<g class="node ${look.tone}" transform=${`translate(${node.x} ${node.y})`} onClick=${() => (location.hash = taskHash(task.id))}>
    <title>${`${text}: ${look.word}${look.doing ? `, ${oneLine(look.doing)}` : ""}`}</title>
    <rect width=${wide} height=${high} rx="7" /><text class="sign" x="11" y="23">${look.sign}</text>
    <text x="27" y="22.5"><tspan class="id">${id}</tspan>${name.length > 3 || name === now.nova.name ? html`<tspan dx="6">${name}</tspan>` : null}</text></g>`;
}

// As much of a text as there is room for, and how wide that is.
function fitted(text, room, weight) {
  pen.font = `${weight} 12.5px ${getComputedStyle(document.body).fontFamily}`; // as run.css draws it
  let shown = text, width = pen.measureText(shown).width;
  for (let letters = [...text]; width > room && letters.length; width = pen.measureText(shown).width) {
    letters = letters.slice(0, Math.min(letters.length - 1, Math.floor((letters.length * room) / width)));
    shown = letters.length ? `${letters.join("").trimEnd()}…` : "";
  }
  return [shown, width];
}
