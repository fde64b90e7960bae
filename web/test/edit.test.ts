import assert from "node:assert/strict";
import { test } from "vitest";
import { changesOf, fieldsOf, FormError, valueOf } from "../src/edit";
import { sampleBot } from "./sample";

const { grid } = sampleBot();
const form = (changes: Record<string, string> = {}): Record<string, string> => ({
  ...Object.fromEntries(fieldsOf(grid).map((field) => [field, valueOf(grid, field)])),
  ...changes,
});

test("an untouched form changes nothing", () => {
  assert.deepEqual(changesOf(grid, form()), {});
});

test("only what was touched is sent: decimals as text, counts as numbers, an emptied limit as none", () => {
  const limited = { ...grid, max_position: "0.5" };
  const changes = changesOf(limited, form({ interval: "3,5", buy_window: "12", max_position: "", range_action: "stop" }));
  assert.deepEqual(changes, { interval: "3.5", buy_window: 12, max_position: "0", range_action: "stop" });
});

test("what is no number is named by its field", () => {
  for (const [field, text] of [["interval", "-1"], ["interval", "1e3"], ["buy_window", "2.5"], ["order_quantity", ""]] as const) {
    assert.throws(
      () => changesOf(grid, form({ [field]: text })),
      (error: unknown) => error instanceof FormError && error.field === field,
    );
  }
});

test("a geometric grid is edited by its ratio", () => {
  const geometric = { ...grid, spacing: "geometric", ratio_ppb: 1_500_000 };
  assert.ok(fieldsOf(geometric).includes("ratio"));
  assert.ok(!fieldsOf(geometric).includes("interval"));
  assert.equal(valueOf(geometric, "ratio"), "0.0015");
});
