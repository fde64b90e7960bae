import assert from "node:assert/strict";
import { test } from "vitest";
import { fold, joinSeries } from "../src/candles";
import type { CandleRow } from "../src/protocol";

const minute = (index: number, close: string, volume = "1.5"): CandleRow => [index * 60, close, close, close, close, volume];

test("minutes fold into longer candles: first open, last close, extremes, exact volume", () => {
  const rows = [minute(0, "10", "0.1"), minute(1, "12", "0.2"), minute(2, "9", "0.3"), minute(5, "11", "1")];
  assert.deepEqual(fold(rows, "5m"), [
    [0, "10", "12", "9", "9", "0.6"],
    [300, "11", "11", "11", "11", "1"],
  ]);
});

test("a candle whose first minutes are missing is not shown with a wrong open", () => {
  assert.deepEqual(
    fold([minute(3, "10"), minute(4, "10"), minute(5, "11")], "5m").map((row) => row[0]),
    [300],
  );
});

test("extremes are compared as numbers, not as text", () => {
  assert.deepEqual(fold([minute(0, "9"), minute(1, "10")], "5m")[0]?.slice(2, 4), ["10", "9"]);
});

test("where old and new know the same time the new one is right", () => {
  const joined = joinSeries([minute(1, "1"), minute(2, "1")], [minute(2, "2"), minute(3, "2")]);
  assert.deepEqual(
    joined.map((row) => [row[0] / 60, row[4]]),
    [
      [1, "1"],
      [2, "2"],
      [3, "2"],
    ],
  );
  assert.deepEqual(joinSeries([minute(1, "1")], []), [minute(1, "1")]);
});
