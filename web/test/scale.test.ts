import assert from "node:assert/strict";
import { test } from "vitest";
import { candleTimeOf, widenRange } from "../src/chart/scale";

test("the chart makes room for the nearest orders and not for far ones", () => {
  const range = widenRange({ low: 99, high: 101 }, 100, [98, 97, 102, 50, 500]);
  assert.deepEqual(range, { low: 97, high: 102 });
});

test("without orders the range stays", () => {
  assert.deepEqual(widenRange({ low: 99, high: 101 }, 100, []), { low: 99, high: 101 });
});

test("a fill belongs to the candle that was open", () => {
  const opens = [60, 120, 180];
  assert.equal(candleTimeOf(59_000, opens), null);
  assert.equal(candleTimeOf(60_000, opens), 60);
  assert.equal(candleTimeOf(179_999, opens), 120);
  assert.equal(candleTimeOf(999_000, opens), 180);
  assert.equal(candleTimeOf(5, []), null);
});
