import assert from "node:assert/strict";
import { test } from "vitest";
import { fill, preferredLanguage, setLanguage, t, tName } from "../src/i18n";
import { en } from "../src/i18n/en";
import { zh } from "../src/i18n/zh";

const places = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? "").sort();

test("every language has every text with the same places, and no other", () => {
  assert.deepEqual(Object.keys(zh).sort(), Object.keys(en).sort());
  for (const [key, text] of Object.entries(en)) {
    const other = zh[key as keyof typeof en];
    assert.ok(other, `${key} is not translated`);
    assert.deepEqual(places(other), places(text), key);
  }
});

test("a saved choice wins over the browser's languages", () => {
  assert.equal(preferredLanguage("zh", ["en-GB"]), "zh");
  assert.equal(preferredLanguage(null, ["de-DE", "zh-TW", "en"]), "zh");
  assert.equal(preferredLanguage("xx", ["fr"]), "en");
});

test("names we have no text for are shown as they are", () => {
  assert.equal(tName("orderState", "SOMETHING_NEW"), "SOMETHING_NEW");
  assert.equal(tName("side", "BUY"), "Buy");
});

test("values fill their places and a missing one stays visible", () => {
  assert.equal(fill("{a} and {b}", { a: 1 }), "1 and {b}");
  setLanguage("zh");
  assert.equal(t("kpi.cycles", { n: 3 }), "3 轮");
  setLanguage("en");
});
