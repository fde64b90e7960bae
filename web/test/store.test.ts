import assert from "node:assert/strict";
import { test } from "vitest";
import type { CandleRow, Order, Slot } from "../src/protocol";
import { applyMessage, emptyState, isUrgent, mergeCandle, ProtocolError, SequenceGapError, type State } from "../src/store";
import { delta, sampleBot, sampleOrder, sampleSlot, sampleSnapshot } from "./sample";

const order = (id: string, price = "3000.00"): Order => sampleOrder({ id, price });
const slot = (k: number, held = "0.000"): Slot => sampleSlot({ k, held });

const loaded = (): State => {
  const state = emptyState();
  applyMessage(state, sampleSnapshot());
  return state;
};

test("a snapshot replaces everything known", () => {
  const state = loaded();
  applyMessage(state, delta(6, { bots: [{ id: "eth", orders: [order("a")] }] }));
  applyMessage(state, sampleSnapshot(40, [sampleBot({ id: "btc" })]));
  assert.deepEqual([...state.bots.keys()], ["btc"]);
  assert.equal(state.sequence, 40);
});

test("deltas change only what they carry", () => {
  const state = loaded();
  applyMessage(state, delta(6, { bots: [{ id: "eth", orders: [order("a"), order("b")], slots: [slot(0, "0.010")] }] }));
  applyMessage(state, delta(7, { bots: [{ id: "eth", removed_orders: ["a"], removed_slots: [3] }] }));
  const bot = state.bots.get("eth");
  assert.deepEqual([...(bot?.orders.keys() ?? [])], ["b"]);
  assert.equal(bot?.slots.get(0)?.held, "0.010");
  assert.equal(bot?.pnl.equity_change, "0.91");
});

test("a missing delta is noticed at once", () => {
  assert.throws(() => applyMessage(loaded(), delta(7, {})), SequenceGapError);
});

test("a tick of another sequence is noticed", () => {
  const tick = { type: "tick", sequence: 6, time_ms: 1, data: { heard_ms: {} } } as const;
  assert.throws(() => applyMessage(loaded(), tick), SequenceGapError);
});

test("a change of an unknown bot starts over", () => {
  assert.throws(() => applyMessage(loaded(), delta(6, { bots: [{ id: "nobody" }] })), SequenceGapError);
});

test("a newer protocol asks for a reload", () => {
  assert.throws(() => applyMessage(emptyState(), { ...sampleSnapshot(), protocol: 2 }), ProtocolError);
});

test("a full change replaces a bot", () => {
  const state = loaded();
  applyMessage(state, delta(6, { bots: [{ id: "eth", orders: [order("a")] }] }));
  applyMessage(state, delta(7, { bots: [{ full: true, ...sampleBot() }] }));
  assert.equal(state.bots.get("eth")?.orders.size, 0);
});

test("a removed bot is gone", () => {
  const state = loaded();
  applyMessage(state, delta(6, { removed_bots: ["eth"] }));
  assert.equal(state.bots.size, 0);
});

test("ticks tell when each source was heard", () => {
  const state = loaded();
  applyMessage(state, { type: "tick", sequence: 5, time_ms: 9, data: { heard_ms: { engine: 77 } } });
  assert.equal(state.sources.get("engine")?.heard_ms, 77);
});

test("a forming candle is replaced and a new one appended", () => {
  const rows: CandleRow[] = [[60, "1", "2", "0.5", "1.5", "9"]];
  assert.equal(mergeCandle(rows, [60, "1", "3", "0.5", "2.5", "10"]), true);
  assert.equal(mergeCandle(rows, [120, "2", "3", "2", "3", "1"]), true);
  assert.deepEqual(rows.map((row) => [row[0], row[4]]), [
    [60, "2.5"],
    [120, "3"],
  ]);
});

test("a late candle finds its place and the chart is told to redraw", () => {
  const state = loaded();
  const change = applyMessage(
    state,
    delta(6, { market: { candle_updates: { "ETH/USDT:USDT": [[0, "1", "1", "1", "1", "1"]] } } }),
  );
  assert.deepEqual(
    state.market.candles.get("ETH/USDT:USDT")?.map((row) => row[0]),
    [0, 60],
  );
  assert.ok(change.candlesReset.has("ETH/USDT:USDT"));
});

test("what a bot did is urgent, a price is not", () => {
  assert.ok(isUrgent(delta(6, { bots: [{ id: "eth", fills: [] }] })));
  assert.ok(isUrgent(sampleSnapshot()));
  assert.ok(!isUrgent(delta(6, { bots: [{ id: "eth", prices: sampleBot().prices }] })));
  assert.ok(!isUrgent(delta(6, { market: {} })));
});
