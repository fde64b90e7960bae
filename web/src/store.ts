// What the page knows, and how messages change it. Pure: no DOM, no sockets, no clock.

import {
  type Account,
  type BotChange,
  type BotParts,
  type CandleRow,
  type Capabilities,
  type Delta,
  type Fill,
  type HopLatency,
  type Instrument,
  type JournalEntry,
  type LastPrice,
  type MarketChange,
  type Order,
  PROTOCOL_VERSION,
  type RateBudget,
  type ServerMessage,
  type Slot,
  type Snapshot,
  type Source,
  type VenueOrder,
  type VenuePosition,
  type WireBot,
  type WireMarket,
} from "./protocol";

export const MAX_FILLS = 500;
export const MAX_JOURNAL = 200;
export const MAX_CANDLES = 1500;

export interface Bot extends BotParts {
  id: string;
  symbol: string;
  exchange: string;
  mode: string;
  started_ms: number;
  epoch: number;
  instrument: Instrument;
  slots: Map<number, Slot>;
  orders: Map<string, Order>;
  /** Oldest first. */
  fills: Fill[];
  /** Oldest first. */
  journal: JournalEntry[];
}

export interface Market {
  candles: Map<string, CandleRow[]>;
  prices: Map<string, LastPrice>;
  positions: Map<string, VenuePosition>;
  account: Account | null;
  orders: Map<string, VenueOrder>;
  budget: RateBudget | null;
  capabilities: Capabilities | null;
}

export interface State {
  sequence: number;
  engineSequence: number;
  serverVersion: string;
  /** Server's clock when the last message was sent. */
  serverTimeMs: number;
  sources: Map<string, Source>;
  bots: Map<string, Bot>;
  /** Of the engine. */
  latency: HopLatency[];
  market: Market;
}

/** What a message changed that is costly to redo from scratch. */
export interface Change {
  candlesReset: Set<string>;
  candleUpdates: Map<string, CandleRow[]>;
}

/** A delta is missing: what follows cannot be trusted, start over from a snapshot. */
export class SequenceGapError extends Error {}

/** The server speaks a newer protocol: this page must be reloaded. */
export class ProtocolError extends Error {}

export function emptyState(): State {
  return {
    sequence: -1,
    engineSequence: 0,
    serverVersion: "",
    serverTimeMs: 0,
    sources: new Map(),
    bots: new Map(),
    latency: [],
    market: {
      candles: new Map(),
      prices: new Map(),
      positions: new Map(),
      account: null,
      orders: new Map(),
      budget: null,
      capabilities: null,
    },
  };
}

/** Apply a message in place and return what changed. */
export function applyMessage(state: State, message: ServerMessage): Change {
  const change: Change = { candlesReset: new Set(), candleUpdates: new Map() };
  state.serverTimeMs = message.time_ms;
  switch (message.type) {
    case "snapshot":
      applySnapshot(state, message, change);
      break;
    case "delta":
      if (message.sequence !== state.sequence + 1) {
        throw new SequenceGapError(`message ${message.sequence} followed ${state.sequence}`);
      }
      applyDelta(state, message, change);
      break;
    case "tick":
      if (message.sequence !== state.sequence) {
        throw new SequenceGapError(`the server is at ${message.sequence}, this page at ${state.sequence}`);
      }
      for (const [name, heardMs] of Object.entries(message.data.heard_ms)) {
        const source = state.sources.get(name);
        if (source) source.heard_ms = heardMs;
      }
      break;
  }
  state.sequence = message.sequence;
  return change;
}

/** Whether a message tells what a bot did, and not only that prices moved. */
export function isUrgent(message: ServerMessage): boolean {
  if (message.type !== "delta") return message.type === "snapshot";
  if (message.data.sources || message.data.removed_bots) return true;
  return (message.data.bots ?? []).some(
    (bot) => bot.full || bot.fills || bot.orders || bot.removed_orders || bot.state || bot.journal,
  );
}

function applySnapshot(state: State, message: Snapshot, change: Change): void {
  if (message.protocol !== PROTOCOL_VERSION) {
    throw new ProtocolError(`the server speaks protocol ${message.protocol}, this page ${PROTOCOL_VERSION}`);
  }
  const data = message.data;
  state.serverVersion = data.server.version;
  state.engineSequence = data.engine_sequence;
  state.sources = new Map(data.sources.map((source) => [source.name, source]));
  state.bots = new Map(data.bots.map((bot) => [bot.id, toBot(bot)]));
  state.latency = data.latency;
  state.market = toMarket(data.market);
  for (const symbol of state.market.candles.keys()) change.candlesReset.add(symbol);
}

function applyDelta(state: State, message: Delta, change: Change): void {
  const data = message.data;
  if (data.engine_sequence !== undefined) state.engineSequence = data.engine_sequence;
  for (const source of data.sources ?? []) state.sources.set(source.name, source);
  for (const id of data.removed_bots ?? []) state.bots.delete(id);
  for (const wire of data.bots ?? []) {
    if (wire.full) {
      state.bots.set(wire.id, toBot(wire));
      continue;
    }
    const bot = state.bots.get(wire.id);
    if (!bot) throw new SequenceGapError(`a change names bot ${wire.id}, which no snapshot described`);
    applyBotChange(bot, wire);
  }
  if (data.latency) state.latency = data.latency;
  if (data.market) applyMarket(state.market, data.market, change);
}

function applyBotChange(bot: Bot, wire: BotChange): void {
  const { id: _, full: __, slots, removed_slots, orders, removed_orders, fills, journal, ...parts } = wire;
  Object.assign(bot, parts);
  for (const slot of slots ?? []) bot.slots.set(slot.k, slot);
  for (const k of removed_slots ?? []) bot.slots.delete(k);
  for (const order of orders ?? []) bot.orders.set(order.id, order);
  for (const id of removed_orders ?? []) bot.orders.delete(id);
  if (fills) bot.fills = [...bot.fills, ...fills].slice(-MAX_FILLS);
  if (journal) bot.journal = [...bot.journal, ...journal].slice(-MAX_JOURNAL);
}

function applyMarket(market: Market, wire: MarketChange, change: Change): void {
  for (const [symbol, rows] of Object.entries(wire.candles ?? {})) {
    market.candles.set(symbol, rows);
    change.candlesReset.add(symbol);
  }
  for (const [symbol, rows] of Object.entries(wire.candle_updates ?? {})) {
    const known = market.candles.get(symbol) ?? [];
    market.candles.set(symbol, known);
    const inOrder = rows.every((row) => mergeCandle(known, row));
    if (inOrder && !change.candlesReset.has(symbol)) change.candleUpdates.set(symbol, rows);
    else change.candlesReset.add(symbol);
  }
  for (const price of wire.prices ?? []) market.prices.set(price.symbol, price);
  for (const position of wire.positions ?? []) market.positions.set(position.symbol, position);
  if (wire.account !== undefined) market.account = wire.account;
  if (wire.budget !== undefined) market.budget = wire.budget;
  if (wire.capabilities !== undefined) market.capabilities = wire.capabilities;
  if (wire.orders) market.orders = new Map(wire.orders.map((order) => [order.id, order]));
  for (const order of wire.order_updates ?? []) market.orders.set(order.id, order);
  for (const id of wire.removed_orders ?? []) market.orders.delete(id);
}

/** Put a candle where its time belongs; return whether it was the newest, as a chart can append it. */
export function mergeCandle(rows: CandleRow[], row: CandleRow): boolean {
  const newest = rows.at(-1);
  if (newest === undefined || row[0] > newest[0]) {
    rows.push(row);
    if (rows.length > MAX_CANDLES) rows.shift();
    return true;
  }
  if (row[0] === newest[0]) {
    rows[rows.length - 1] = row;
    return true;
  }
  const index = rows.findIndex((known) => known[0] >= row[0]);
  if (rows[index]?.[0] === row[0]) rows[index] = row;
  else rows.splice(index, 0, row);
  return false;
}

function toBot(wire: WireBot): Bot {
  return {
    ...wire,
    slots: new Map(wire.slots.map((slot) => [slot.k, slot])),
    orders: new Map(wire.orders.map((order) => [order.id, order])),
  };
}

function toMarket(wire: WireMarket): Market {
  return {
    candles: new Map(Object.entries(wire.candles)),
    prices: new Map(wire.prices.map((price) => [price.symbol, price])),
    positions: new Map(wire.positions.map((position) => [position.symbol, position])),
    account: wire.account,
    orders: new Map(wire.orders.map((order) => [order.id, order])),
    budget: wire.budget,
    capabilities: wire.capabilities,
  };
}
