// The three answers of one glance: does it make money, is it safe, what will it do next. Pure.

import { isZero, percent, signOf } from "./format";
import type { Order, RiskLimit } from "./protocol";
import type { View } from "./view";

export type Level = "good" | "warning" | "bad" | "unknown";

/** One thing that is not as it should be; texts are made from the key. */
export interface Concern {
  level: "warning" | "bad";
  key: "state" | "stale" | "unknownOrders" | "unexplained" | "liquidation" | "limit" | "connection" | "reconcile" | "halt";
  values: Record<string, string | number>;
}

const NEAR_LIQUIDATION = 0.1;
const CLOSE_LIQUIDATION = 0.03;
const NEAR_LIMIT = 0.8;

const BAD_STATES = new Set(["HALTED", "STOPPED"]);

/** Everything that a careful trader would look at now, the worst first. */
export function concerns(view: View): Concern[] {
  const found: Concern[] = [];
  const { bot, fresh, position } = view;
  if (!bot) return found;
  const stale = Object.values(fresh).some((one) => one.stale);
  if (stale) found.push({ level: "bad", key: "stale", values: {} });
  if (bot.state.name !== "ACTIVE") {
    const level = BAD_STATES.has(bot.state.name) ? "bad" : "warning";
    found.push({ level, key: "state", values: { state: bot.state.name, reason: bot.state.reasons[0]?.code ?? "" } });
  }
  if (bot.reconcile.suspects > 0 || bot.reconcile.last_error) found.push({ level: "warning", key: "reconcile", values: {} });
  if (bot.volume_halt?.halted) found.push({ level: "warning", key: "halt", values: {} });
  const unknown = view.orders.filter((order) => order.state === "UNKNOWN").length;
  if (unknown > 0) found.push({ level: "warning", key: "unknownOrders", values: { n: unknown } });
  const down = bot.connections.find((connection) => !connection.up);
  if (down && !stale) found.push({ level: "bad", key: "connection", values: { name: down.name } });
  if (!isZero(bot.pnl.unexplained)) found.push({ level: "warning", key: "unexplained", values: { amount: bot.pnl.unexplained } });
  const distance = liquidationDistance(view);
  if (position && !isZero(position.size) && distance !== null && distance < NEAR_LIQUIDATION) {
    const level = distance < CLOSE_LIQUIDATION ? "bad" : "warning";
    found.push({ level, key: "liquidation", values: { percent: percent(distance, 1, 1) } });
  }
  for (const limit of bot.limits) {
    const share = limitShare(limit);
    if (share < NEAR_LIMIT) continue;
    const level = limit.reached ? "bad" : "warning";
    found.push({ level, key: "limit", values: { name: limit.name, percent: percent(share, 1, 0) } });
  }
  return found.sort((a, b) => Number(b.level === "bad") - Number(a.level === "bad"));
}

export function safetyLevel(view: View, found: readonly Concern[]): Level {
  // Old numbers say nothing about now, neither good nor bad.
  if (!view.bot || found.some((concern) => concern.key === "stale")) return "unknown";
  if (found.some((concern) => concern.level === "bad")) return "bad";
  return found.length > 0 ? "warning" : "good";
}

/** How much of a limit is used: 1 = reached. Of a floor, how near the value has come down to it. */
export function limitShare(limit: RiskLimit): number {
  const value = Math.abs(Number(limit.value));
  const cap = Math.abs(Number(limit.cap));
  const share = limit.floor ? (value > 0 ? cap / value : 1) : cap > 0 ? value / cap : 0;
  return limit.reached ? Math.max(1, share) : share;
}

/** How far the mark price is from liquidation, as a share of it; null without a liquidation price. */
export function liquidationDistance(view: View): number | null {
  const liquidation = Number(view.position?.liquidation_price ?? Number.NaN);
  const mark = Number(view.markPrice ?? view.position?.mark_price ?? Number.NaN);
  if (!Number.isFinite(liquidation) || !Number.isFinite(mark) || mark === 0) return null;
  return Math.abs(liquidation - mark) / mark;
}

/** The next order the market would meet on each side. */
export function nextOrders(view: View): { buy: Order | null; sell: Order | null } {
  let buy: Order | null = null;
  let sell: Order | null = null;
  for (const order of view.orders) {
    if (order.foreign || order.state === "UNKNOWN") continue;
    if (order.side === "BUY" && (buy === null || Number(order.price) > Number(buy.price))) buy = order;
    if (order.side === "SELL" && (sell === null || Number(order.price) < Number(sell.price))) sell = order;
  }
  return { buy, sell };
}

/** How far an order is from the last price, in percent with its sign. */
export function distanceText(view: View, order: Order): string {
  const last = Number(view.lastPrice ?? Number.NaN);
  const away = Number(order.price) - last;
  const text = percent(away, last);
  return signOf(String(away)) > 0 ? `+${text}` : text;
}
