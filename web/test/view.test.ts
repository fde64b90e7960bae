import assert from "node:assert/strict";
import { test } from "vitest";
import { freshnessOf, type Link } from "../src/freshness";
import type { Source, VenueOrder } from "../src/protocol";
import { applyMessage, emptyState, type State } from "../src/store";
import { viewKeys, viewOf } from "../src/view";
import { delta, sampleSnapshot } from "./sample";

const UP: Link = { up: true, sinceMs: 1, clockOffsetMs: 0 };

const loaded = (): State => {
  const state = emptyState();
  applyMessage(state, sampleSnapshot());
  return state;
};

const down = (name: string, sinceMs: number): Source => ({
  name,
  up: false,
  stale: true,
  detail: "gone",
  since_ms: sinceMs,
  heard_ms: 0,
});

const venueOrder: VenueOrder = {
  id: "9",
  client_id: "a",
  symbol: "ETH/USDT:USDT",
  side: "BUY",
  type: "LIMIT",
  price: "3000",
  size: "0.010",
  filled: "0",
  status: "NEW",
  updated_ms: 1,
};

test("with everything up nothing is stale", () => {
  const view = viewOf(loaded(), UP, "eth");
  for (const fresh of Object.values(view.fresh)) assert.equal(fresh.stale, false);
  assert.equal(view.fromVenue, false);
  assert.equal(view.lastPrice, "3001.30");
});

test("a lost page connection makes everything stale since then", () => {
  const view = viewOf(loaded(), { up: false, sinceMs: 4_000, clockOffsetMs: 0 }, "eth");
  for (const fresh of Object.values(view.fresh)) assert.deepEqual([fresh.stale, fresh.sinceMs], [true, 4_000]);
});

test("without the engine the bot is stale and the venue speaks for account and orders", () => {
  const state = loaded();
  applyMessage(state, delta(6, { sources: [down("engine", 500)], market: { orders: [venueOrder] } }));
  const view = viewOf(state, UP, "eth");
  assert.equal(view.fresh.bot.stale, true);
  assert.equal(view.fresh.bot.sinceMs, 500);
  assert.equal(view.fresh.account.stale, false);
  assert.equal(view.fromVenue, true);
  assert.deepEqual(view.orders.map((order) => order.id), ["a"]);
  assert.equal(view.lastPrice, "3001.40");
});

test("a book the engine lost makes prices stale, not the account", () => {
  const state = loaded();
  applyMessage(state, delta(6, { bots: [{ id: "eth", connections: [{ name: "book", up: false, detail: "gap", since_ms: 900 }] }] }));
  assert.equal(freshnessOf(state, UP, "prices", "eth").sinceMs, 900);
  assert.equal(freshnessOf(state, UP, "account", "eth").stale, false);
});

test("stale since the earliest cause, on this machine's clock", () => {
  const state = loaded();
  applyMessage(state, delta(6, { sources: [down("engine", 500)] }));
  const link = { up: false, sinceMs: 10_000, clockOffsetMs: 7_000 };
  assert.equal(freshnessOf(state, link, "bot", "eth").sinceMs, 7_500);
});

test("a symbol without a bot has a screen of its own", () => {
  const state = loaded();
  applyMessage(state, delta(6, { removed_bots: ["eth"] }));
  const keys = viewKeys(state);
  assert.deepEqual(keys, [{ key: "symbol:ETH/USDT:USDT", label: "ETH/USDT" }]);
  assert.equal(viewOf(state, UP, keys[0]?.key ?? "").bot, null);
});
