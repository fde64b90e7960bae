import type { Delta, DeltaData, Fill, Order, Slot, Snapshot, WireBot } from "../src/protocol";

export function sampleBot(changes: Partial<WireBot> = {}): WireBot {
  return {
    id: "eth",
    symbol: "ETH/USDT:USDT",
    exchange: "paper",
    mode: "paper",
    started_ms: 1,
    epoch: 1,
    instrument: {
      venue_symbol: "ETHUSDT",
      base: "ETH",
      quote: "USDT",
      settle: "USDT",
      tick_size: "0.01",
      lot_size: "0.001",
      price_decimals: 2,
      size_decimals: 3,
      min_notional: "5",
      maker_fee_rate: "0.0002",
      taker_fee_rate: "0.0005",
      revision: 1,
      status: "TRADING",
    },
    state: { name: "ACTIVE", reasons: [] },
    grid: {
      spacing: "arithmetic",
      direction: "long",
      anchor: "3000.00",
      interval: "2.00",
      ratio_ppb: 0,
      order_quantity: "30",
      buy_window: 10,
      sell_window: 10,
      max_open_orders: 100,
      price_source: "last",
      config_version: 1,
      range_lower: null,
      range_upper: null,
      range_action: "hold",
      max_position: null,
      max_notional: null,
      max_order_notional: null,
    },
    position: {
      size: "0.010",
      entry_price: "3000.00",
      mark_price: "3001.00",
      unrealized_pnl: "0.01",
      liquidation_price: null,
      leverage: 10,
      margin_type: "cross",
      time_ms: 1,
    },
    account: {
      asset: "USDT",
      wallet: "1000",
      available: "990",
      margin: "1000.01",
      unrealized_pnl: "0.01",
      maintenance_margin: "0.1",
      time_ms: 1,
    },
    pnl: {
      asset: "USDT",
      grid_profit: "1",
      inventory_pnl: "0.01",
      fees: "-0.1",
      funding: "0",
      transfers: "0",
      equity_change: "0.91",
      equity: "1000.91",
      unexplained: "0",
      turnover: "60",
      fills: 2,
      maker_fills: 2,
      cycles: 1,
      orders_placed: 12,
      history_complete: true,
    },
    connections: [{ name: "book", up: true, detail: "", since_ms: 100 }],
    prices: { last: "3001.30", mark: "3001.00", bid: "3001.29", ask: "3001.31" },
    window: { low_slot: -9, high_slot: 0 },
    funding: { rate: "0.0001", next_ms: 0 },
    limits: [],
    volume_halt: null,
    dead_man: null,
    reconcile: { last_read_ms: 1, reads: 1, failures: 0, last_error: "", suspects: 0, corrected: 0, corrections: [] },
    slots: [],
    orders: [],
    fills: [],
    journal: [],
    ...changes,
  };
}

export function sampleSnapshot(sequence = 5, bots: WireBot[] = [sampleBot()]): Snapshot {
  return {
    type: "snapshot",
    protocol: 1,
    sequence,
    time_ms: 1_000,
    data: {
      server: { version: "1" },
      engine_sequence: 1,
      sources: ["engine", "candles", "prices", "orders", "account"].map((name) => ({
        name,
        up: true,
        stale: false,
        detail: "",
        since_ms: 10,
        heard_ms: 20,
      })),
      bots,
      latency: [],
      market: {
        candles: { "ETH/USDT:USDT": [[60, "1", "2", "0.5", "1.5", "9"]] },
        prices: [{ symbol: "ETH/USDT:USDT", price: "3001.40", time_ms: 5 }],
        positions: [],
        account: null,
        orders: [],
        budget: null,
        capabilities: null,
      },
    },
  };
}

export function delta(sequence: number, data: DeltaData): Delta {
  return { type: "delta", sequence, time_ms: 2_000, data };
}

export function sampleOrder(changes: Partial<Order> = {}): Order {
  return {
    id: "a",
    exchange_id: "1",
    slot: 0,
    side: "BUY",
    type: "LIMIT",
    price: "3000.00",
    size: "0.010",
    filled: "0.000",
    state: "LIVE",
    rule: "buy_window",
    reduce_only: false,
    post_only: true,
    foreign: false,
    reason: null,
    created_ms: 1,
    updated_ms: 1,
    ...changes,
  };
}

export function sampleSlot(changes: Partial<Slot> = {}): Slot {
  return {
    k: 0,
    level: "3000.00",
    take_profit: "3002.00",
    held: "0.000",
    average_price: null,
    order: null,
    cycles: 0,
    profit: "0",
    cooldown_until_ms: 0,
    ...changes,
  };
}

export function sampleFill(changes: Partial<Fill> = {}): Fill {
  return {
    id: "1",
    order: "a",
    side: "BUY",
    price: "3000.00",
    size: "0.010",
    slot: 0,
    grid_profit: null,
    fee: "0.006",
    fee_asset: "USDT",
    maker: true,
    origin: "OURS",
    time_ms: 1,
    ...changes,
  };
}
