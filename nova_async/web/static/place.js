// Which run the page shows: the current one, or one of the past, whose id then stands in the address of the page and in
// all paths of the API. It follows from the address alone, so that back, forward and a reload show the same.

export const place = { run: null }; // the id of a past run, or its beginning

const prefix = () => (place.run === null ? "" : `runs/${encodeURIComponent(place.run)}`);

// Where a part of the run is in the page, and in the API: "", "graph", "task/T1"; "graph", "tasks/T1".
export const hashOf = (path) => `#/${[prefix(), path].filter(Boolean).join("/")}`;
export const pathOf = (path) => [prefix(), path].filter(Boolean).join("/");

// What an address shows: {run, page, rest}.
export function routeOf(hash) {
  if (hash.startsWith("#token=")) hash = "";
  let words = hash.replace(/^#\/?/, "").split("/");
  try {
    words = words.map(decodeURIComponent);
  } catch {
    words = [""];
  }
  const run = words[0] === "runs" && words[1] ? words[1] : null;
  const [page = "", ...rest] = run === null ? words : words.slice(2);
  return { run, page, rest };
}
