// What is asked of the server by itself: documents by GET, actions by POST.

import { pathOf } from "./place.js";

export class Refused extends Error {}

export async function get(path, signal) {
  return said(await fetch(`/api/v1/${path}`, { signal, cache: "no-store" }));
}

export async function post(path, body = {}) {
  const headers = { "content-type": "application/json" };
  return said(await fetch(`/api/v1/${path}`, { method: "POST", headers, body: JSON.stringify(body) }));
}

async function said(answer) {
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(told.error ?? `the server answered ${answer.status}`);
  return told;
}

export const taskPath = (id) => pathOf(`tasks/${encodeURIComponent(id)}`);
export const attemptPath = (id, number) => `${taskPath(id)}/attempts/${number}`;

// A part of a log, as bytes: {from, size, content}.
export async function range(id, number, wanted, signal) {
  const answer = await fetch(`/api/v1/${attemptPath(id, number)}/log`, { headers: { range: `bytes=${wanted}` }, signal, cache: "no-store" });
  const about = /(\d+)-\d+\/(\d+)|\*\/(\d+)/.exec(answer.headers.get("content-range") ?? "");
  if (answer.status === 416) return { from: Number(about?.[3] ?? 0), size: Number(about?.[3] ?? 0), content: new Uint8Array() };
  if (!answer.ok) await said(answer);
  const content = new Uint8Array(await answer.arrayBuffer());
  return { from: Number(about?.[1] ?? 0), size: Number(about?.[2] ?? content.length), content };
}
