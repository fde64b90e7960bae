import assert from "node:assert/strict";
import { test } from "vitest";
import { applyMessage, emptyState } from "../src/store";
import { Newsreader } from "../src/news";
import { delta, sampleFill, sampleSnapshot } from "./sample";

test("what happened before the page was opened is no news, what comes is told once", () => {
  const state = emptyState();
  applyMessage(state, sampleSnapshot());
  const reader = new Newsreader();
  assert.deepEqual(reader.read(state), { fills: [], alarms: [] });
  const alarm = { time_ms: 5, level: "alarm", code: "DRAWDOWN", message: "m" };
  applyMessage(state, delta(6, { bots: [{ id: "eth", fills: [sampleFill({ id: "1" }), sampleFill({ id: "2" })], journal: [alarm] }] }));
  const news = reader.read(state);
  assert.deepEqual([news.fills.map((fill) => fill.id), news.alarms], [["1", "2"], [alarm]]);
  assert.deepEqual(reader.read(state), { fills: [], alarms: [] });
});

test("a reconnect tells nothing twice", () => {
  const state = emptyState();
  const reader = new Newsreader();
  const snapshot = sampleSnapshot();
  snapshot.data.bots[0]?.fills.push(sampleFill({ id: "1" }));
  applyMessage(state, snapshot);
  reader.read(state);
  applyMessage(state, { ...snapshot, sequence: 50 });
  assert.deepEqual(reader.read(state), { fills: [], alarms: [] });
});
