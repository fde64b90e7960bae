// What the server answers when it is asked about the past. Decimals are text, times are Unix milliseconds.

import type { Order } from "./protocol";

/** Why an order exists and what became of it. */
export interface Explanation {
  order: Order;
  inputs: Record<string, string>;
  config_version: number;
  history: string[];
  fills: { id: string; price: string; size: string; fee: string; fee_asset: string; maker: boolean; time_ms: number }[];
}

export interface EquityPoint {
  time_ms: number;
  equity: string;
  equity_change: string;
}

/** One UTC day; the parts sum exactly to equity_change. */
export interface DayPnl {
  date: string;
  start_ms: number;
  grid_profit: string;
  inventory_pnl: string;
  fees: string;
  funding: string;
  transfers: string;
  equity_change: string;
  fills: number;
  maker_fills: number;
  turnover: string;
  cycles: number;
}
