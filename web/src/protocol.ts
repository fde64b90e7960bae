// What the server says on /ws/v1; what it answers when asked is in answers.ts. Decimals are text, times are Unix milliseconds unless the name says otherwise.

export type * from "./answers";

export interface Source {
  name: string;
  up: boolean;
  stale: boolean;
  detail: string;
  since_ms: number;
  heard_ms: number;
}

export interface Instrument {
  venue_symbol: string;
  base: string;
  quote: string;
  settle: string;
  tick_size: string;
  lot_size: string;
  price_decimals: number;
  size_decimals: number;
  min_notional: string;
  maker_fee_rate: string;
  taker_fee_rate: string;
  revision: number;
  status: string;
}

export interface Reason {
  code: string;
  message: string;
  since_ms: number;
  /** The code's words for people; empty from an engine that has none. */
  title: string;
  title_zh: string;
}

export interface TradingState {
  name: string;
  reasons: Reason[];
}

export interface Grid {
  spacing: string;
  direction: string;
  anchor: string;
  interval: string;
  ratio_ppb: number;
  order_quantity: string;
  buy_window: number;
  sell_window: number;
  max_open_orders: number;
  price_source: string;
  config_version: number;
  /** Null = no limit. */
  range_lower: string | null;
  range_upper: string | null;
  range_action: string;
  max_position: string | null;
  max_notional: string | null;
  max_order_notional: string | null;
}

/** How much of one limit is used. */
export interface RiskLimit {
  name: string;
  value: string;
  cap: string;
  unit: string;
  action: string;
  code: string;
  /** The value must stay above the cap. */
  floor: boolean;
  reached: boolean;
  title: string;
  title_zh: string;
}

export interface HaltSymbol {
  symbol: string;
  fresh: boolean;
  detail: string;
  open_time_ms: number;
  close: string;
  mean_close: string;
  volume: string;
  mean_volume: string;
  dumping: boolean;
  recovered: boolean;
}

/** The volume halt over several symbols. */
export interface VolumeHalt {
  enabled: boolean;
  halted: boolean;
  since_ms: number;
  interval: string;
  window: number;
  multiplier: string;
  recovered: number;
  recovery_threshold: number;
  blind: boolean;
  symbols: HaltSymbol[];
}

export interface Position {
  size: string;
  entry_price: string | null;
  mark_price: string | null;
  unrealized_pnl: string;
  liquidation_price: string | null;
  leverage: number;
  margin_type: string;
  time_ms: number;
}

export interface Account {
  asset: string;
  wallet: string;
  available: string;
  margin: string;
  unrealized_pnl: string;
  maintenance_margin: string;
  time_ms: number;
}

export interface Pnl {
  asset: string;
  grid_profit: string;
  inventory_pnl: string;
  fees: string;
  funding: string;
  transfers: string;
  equity_change: string;
  equity: string;
  unexplained: string;
  turnover: string;
  fills: number;
  maker_fills: number;
  cycles: number;
  orders_placed: number;
  history_complete: boolean;
}

export interface Connection {
  name: string;
  up: boolean;
  detail: string;
  since_ms: number;
}

export interface Slot {
  k: number;
  level: string;
  take_profit: string | null;
  held: string;
  average_price: string | null;
  order: string | null;
  cycles: number;
  profit: string;
  cooldown_until_ms: number;
}

export interface Order {
  id: string;
  exchange_id: string;
  slot: number | null;
  side: string;
  type: string;
  price: string;
  size: string;
  filled: string;
  state: string;
  rule: string;
  reduce_only: boolean;
  post_only: boolean;
  foreign: boolean;
  reason: string | null;
  created_ms: number;
  updated_ms: number;
}

export interface Fill {
  id: string;
  order: string;
  side: string;
  price: string;
  size: string;
  slot: number | null;
  grid_profit: string | null;
  fee: string;
  fee_asset: string;
  maker: boolean;
  origin: string;
  time_ms: number;
}

export interface JournalEntry {
  time_ms: number;
  level: string;
  code: string;
  message: string;
}

export interface Prices {
  last: string | null;
  mark: string | null;
  bid: string | null;
  ask: string | null;
}

/** How long one part of the way takes, in the last minute or two. */
export interface HopLatency {
  hop: string;
  count: number;
  p50_ns: number;
  p99_ns: number;
  max_ns: number;
}

export interface Correction {
  order: string;
  what: string;
  evidence: string;
}

/** How orders and position compare with what the venue lists. */
export interface ReconcileState {
  last_read_ms: number;
  reads: number;
  failures: number;
  last_error: string;
  /** Differences that wait for a second look. */
  suspects: number;
  corrected: number;
  corrections: Correction[];
}

/** Parts of a bot that a delta replaces whole. */
export interface BotParts {
  state: TradingState;
  grid: Grid;
  position: Position;
  account: Account;
  pnl: Pnl;
  connections: Connection[];
  prices: Prices;
  window: { low_slot: number; high_slot: number };
  funding: { rate: string; next_ms: number };
  limits: RiskLimit[];
  volume_halt: VolumeHalt | null;
  /** State of the venue's dead-man switch; null while it is not known. */
  dead_man: string | null;
  reconcile: ReconcileState;
}

export interface WireBot extends BotParts {
  id: string;
  symbol: string;
  exchange: string;
  mode: string;
  started_ms: number;
  epoch: number;
  instrument: Instrument;
  slots: Slot[];
  orders: Order[];
  fills: Fill[];
  journal: JournalEntry[];
}

export interface BotChange extends Partial<BotParts> {
  id: string;
  full?: false;
  slots?: Slot[];
  removed_slots?: number[];
  orders?: Order[];
  removed_orders?: string[];
  fills?: Fill[];
  journal?: JournalEntry[];
}

export type WireBotChange = BotChange | ({ full: true } & WireBot);

/** Open time in Unix seconds, open, high, low, close, volume. */
export type CandleRow = [number, string, string, string, string, string];

export interface LastPrice {
  symbol: string;
  price: string;
  time_ms: number;
}

export interface VenuePosition extends Position {
  symbol: string;
}

export interface VenueOrder {
  id: string;
  client_id: string;
  symbol: string;
  side: string;
  type: string;
  price: string;
  size: string;
  filled: string;
  status: string;
  updated_ms: number;
}

export interface RateWindow {
  scope: string;
  name: string;
  interval_ms: number;
  limit: number;
  used: number;
  /** Part of the limit that only cancels may use. */
  cancel_reserve: number;
}

/** The venue's rate limits. */
export interface RateBudget {
  windows: RateWindow[];
  circuit_open: boolean;
  circuit_reason: string;
  circuit_until_ms: number;
}

export interface Capabilities {
  exchange: string;
  mode: string;
  amend: boolean;
  dead_man_switch: boolean;
}

export interface WireMarket {
  candles: Record<string, CandleRow[]>;
  prices: LastPrice[];
  positions: VenuePosition[];
  account: Account | null;
  orders: VenueOrder[];
  budget: RateBudget | null;
  capabilities: Capabilities | null;
}

export interface MarketChange extends Partial<WireMarket> {
  candle_updates?: Record<string, CandleRow[]>;
  order_updates?: VenueOrder[];
  removed_orders?: string[];
}

interface Envelope<Type extends string, Data> {
  type: Type;
  sequence: number;
  time_ms: number;
  data: Data;
}

export interface SnapshotData {
  server: { version: string };
  engine_sequence: number;
  sources: Source[];
  bots: WireBot[];
  latency: HopLatency[];
  market: WireMarket;
}

export interface DeltaData {
  engine_sequence?: number;
  sources?: Source[];
  bots?: WireBotChange[];
  removed_bots?: string[];
  latency?: HopLatency[];
  market?: MarketChange;
}

export type Snapshot = Envelope<"snapshot", SnapshotData> & { protocol: number };
export type Delta = Envelope<"delta", DeltaData>;
export type Tick = Envelope<"tick", { heard_ms: Record<string, number> }>;
export type ServerMessage = Snapshot | Delta | Tick;

export const PROTOCOL_VERSION = 1;
