import assert from "node:assert/strict";
import { test } from "vitest";
import * as f from "../src/format";

test("numbers are grouped without losing a digit", () => {
  assert.equal(f.plain("1234567.12345678901234567890"), "1,234,567.12345678901234567890");
  assert.equal(f.plain("-1234.5"), "\u22121,234.5");
  assert.equal(f.plain("999"), "999");
  assert.equal(f.plain(null), f.NONE);
});

test("rounding is half away from zero, on text", () => {
  assert.equal(f.roundText("0.12345", 4), "0.1235");
  assert.equal(f.roundText("-0.12345", 4), "-0.1235");
  assert.equal(f.roundText("9.99995", 4), "10.0000");
  assert.equal(f.roundText("1.5", 0), "2");
  assert.equal(f.roundText("1", 2), "1.00");
});

test("a value that rounds to zero has no sign", () => {
  assert.equal(f.signedMoney("-0.00001"), "0.0000");
  assert.equal(f.percent(-0.000001, 1), "0.00%");
});

test("signs are shown on money that was made or lost", () => {
  assert.equal(f.signedMoney("0.2"), "+0.2000");
  assert.equal(f.signedMoney("-12345.678"), "\u221212,345.68");
  assert.equal(f.signedMoney("0"), "0.0000");
});

test("a rate becomes percent exactly", () => {
  assert.equal(f.ratePercent("0.0001"), "0.01%");
  assert.equal(f.ratePercent("-0.000125"), "\u22120.0125%");
  assert.equal(f.ratePercent("0.5"), "50%");
  assert.equal(f.ratePercent("0"), "0%");
});

test("a price has the places of the tick, and up to two more as an average", () => {
  assert.equal(f.price("64049", 1), "64,049.0");
  assert.equal(f.price("3000.0000", 2), "3,000.00");
  assert.equal(f.price("3000.12345", 2), "3,000.1235");
  assert.equal(f.price("3000.1200", 2), "3,000.12");
});

test("a percentage of nothing is no number", () => {
  assert.equal(f.percent(1, 0), f.NONE);
});

test("durations use their two largest units", () => {
  assert.equal(f.duration(-5), "0 s");
  assert.equal(f.duration(59_999), "59 s");
  assert.equal(f.duration(61_000), "1 min 1 s");
  assert.equal(f.duration(3_660_000), "1 h 1 min");
  assert.equal(f.duration(90_000_000), "1 d 1 h");
});

test("where there is little room only the largest unit is said", () => {
  assert.deepEqual([5_000, 61_000, 3_660_000, 90_000_000].map(f.shortDuration), ["5 s", "1 min", "1 h", "1 d"]);
});

test("decimal texts are added without losing a digit", () => {
  assert.equal(f.addText("0.1", "0.2"), "0.3");
  assert.equal(f.addText("-1.5", "1.25"), "-0.25");
  assert.equal(f.addText("12345678901234567890", "0.00000001"), "12345678901234567890.00000001");
});
