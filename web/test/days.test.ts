import assert from "node:assert/strict";
import { test } from "vitest";
import { baseOf, PARTS, todayOf, zeroParts } from "../src/days";
import { addText } from "../src/format";
import type { DayPnl } from "../src/protocol";
import { sampleBot } from "./sample";

const day = (date: string, change: string, extra: Partial<DayPnl> = {}): DayPnl => ({
  ...zeroParts(),
  grid_profit: change,
  equity_change: change,
  date,
  start_ms: 0,
  fills: 1,
  maker_fills: 1,
  turnover: "10",
  cycles: 1,
  ...extra,
});

test("today is the total less everything before it, exactly, whenever the days were fetched", () => {
  const days = [day("2026-01-01", "0.10000000000000001"), day("2026-01-02", "-0.3"), day("2026-01-03", "999")];
  const base = baseOf(day("", "0.25"), days);
  assert.ok(base);
  const today = todayOf(base, sampleBot().pnl);
  assert.equal(today.date, "2026-01-03");
  assert.equal(today.grid_profit, "0.94999999999999999");
  assert.equal(today.fills, 2 - 3);
});

test("the parts of today sum exactly to its change", () => {
  const { pnl } = sampleBot();
  const base = baseOf(day("", "0.1234567"), [day("2026-01-01", "5")]);
  assert.ok(base);
  const today = todayOf(base, pnl);
  const parts = PARTS.filter((part) => part !== "equity_change").map((part) => today[part]);
  assert.equal(Number(parts.reduce(addText, "0")), Number(today.equity_change));
});

test("without days there is no today", () => {
  assert.equal(baseOf(day("", "1"), []), null);
});
