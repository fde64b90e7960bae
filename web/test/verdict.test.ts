import assert from "node:assert/strict";
import { test } from "vitest";
import type { Link } from "../src/freshness";
import type { Order, WireBot } from "../src/protocol";
import { applyMessage, emptyState } from "../src/store";
import { concerns, distanceText, nextOrders, safetyLevel } from "../src/verdict";
import { type View, viewOf } from "../src/view";
import { sampleBot, sampleOrder, sampleSnapshot } from "./sample";

const UP: Link = { up: true, sinceMs: 1, clockOffsetMs: 0 };

const view = (changes: Partial<WireBot> = {}, link = UP): View => {
  const state = emptyState();
  applyMessage(state, sampleSnapshot(5, [sampleBot(changes)]));
  return viewOf(state, link, "eth");
};

const orders: Order[] = [
  sampleOrder({ id: "b1", side: "BUY", price: "2990" }),
  sampleOrder({ id: "b2", side: "BUY", price: "3000" }),
  sampleOrder({ id: "s1", side: "SELL", price: "3010" }),
  sampleOrder({ id: "s2", side: "SELL", price: "3002" }),
];

test("an undisturbed bot is safe", () => {
  assert.equal(safetyLevel(view(), concerns(view())), "good");
});

test("whatever is wrong is named, the worst first", () => {
  const troubled = view({
    state: { name: "HALTED", reasons: [] },
    orders: [sampleOrder({ id: "u", state: "UNKNOWN" })],
    pnl: { ...sampleBot().pnl, unexplained: "0.01" },
  });
  const found = concerns(troubled);
  assert.deepEqual(
    found.map((concern) => concern.key),
    ["state", "unknownOrders", "unexplained"],
  );
  assert.equal(safetyLevel(troubled, found), "bad");
});

test("old numbers are never called safe", () => {
  const old = view({}, { ...UP, up: false });
  assert.equal(safetyLevel(old, concerns(old)), "unknown");
});

test("a limit near its cap is a warning, a reached one is bad", () => {
  const limit = { name: "drawdown", value: "24", cap: "25", unit: "percent", action: "flatten", code: "x", floor: false, reached: false, title: "", title_zh: "" };
  const near = view({ limits: [limit] });
  assert.equal(safetyLevel(near, concerns(near)), "warning");
  const reached = view({ limits: [{ ...limit, value: "26", reached: true }] });
  assert.equal(safetyLevel(reached, concerns(reached)), "bad");
});

test("a liquidation price near the mark is a concern, and none is not", () => {
  const position = { ...sampleBot().position, liquidation_price: "2940.00" };
  assert.deepEqual(
    concerns(view({ position })).map((concern) => [concern.key, concern.level]),
    [["liquidation", "bad"]],
  );
});

test("next are the orders nearest to each other, never a foreign or unknown one", () => {
  const next = nextOrders(view({ orders: [...orders, sampleOrder({ id: "f", price: "3000.5", foreign: true }), sampleOrder({ id: "u", price: "3000.9", state: "UNKNOWN" })] }));
  assert.deepEqual([next.buy?.id, next.sell?.id], ["b2", "s2"]);
});

test("distances carry their sign", () => {
  const shown = view({ orders });
  assert.equal(distanceText(shown, sampleOrder({ price: "3031.31" })), "+1.00%");
  assert.equal(distanceText(shown, sampleOrder({ price: "2971.29" })), "\u22121.00%");
});
