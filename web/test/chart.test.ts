import assert from "node:assert/strict";
import { test } from "vitest";
import { byCandle } from "../src/chart/marks";
import { latticeOf, withRoom } from "../src/chart/rungs";
import type { Link } from "../src/freshness";
import { applyMessage, emptyState } from "../src/store";
import { viewOf } from "../src/view";
import { sampleBot, sampleFill, sampleOrder, sampleSlot, sampleSnapshot } from "./sample";

const UP: Link = { up: true, sinceMs: 1, clockOffsetMs: 0 };

test("the lattice tells buys, sells, foreign and unknown orders apart, and what is held", () => {
  const bot = sampleBot({
    slots: [sampleSlot({ k: -9, level: "2982.00" }), sampleSlot({ k: 0, level: "3000.00", held: "0.010" })],
    orders: [
      sampleOrder({ id: "a" }),
      sampleOrder({ id: "b", side: "SELL" }),
      sampleOrder({ id: "c", foreign: true }),
      sampleOrder({ id: "d", state: "UNKNOWN" }),
    ],
  });
  const state = emptyState();
  applyMessage(state, sampleSnapshot(5, [bot]));
  const lattice = latticeOf(viewOf(state, UP, "eth"));
  assert.deepEqual(
    lattice.rungs.map((rung) => rung.kind),
    ["buy", "sell", "foreign", "unknown"],
  );
  assert.deepEqual(lattice.holdings, [{ level: 3000, takeProfit: 3002, size: "0.010" }]);
  assert.deepEqual(lattice.window, { low: 2982, high: 3000 });
});

test("labels that would cover each other give way to the earlier ones", () => {
  assert.deepEqual(withRoom([100, 110, 120, 300], 14), [true, false, true, true]);
});

test("fills stand at their candle, and those outside of all candles at none", () => {
  const fills = [sampleFill({ id: "old", time_ms: 1_000 }), sampleFill({ id: "in", time_ms: 61_000 }), sampleFill({ id: "hole", time_ms: 400_000 })];
  const found = byCandle(fills, [60, 120, 600], 60);
  assert.deepEqual([...found].map(([time, inCandle]) => [time, inCandle.map((fill) => fill.id)]), [[60, ["in"]]]);
});
