// The lattice on the chart: what to draw, from what the view knows. Pure; `ladder.ts` puts it on the canvas.

import { isZero } from "../format";
import type { Order } from "../protocol";
import type { View } from "../view";

export type RungKind = "buy" | "sell" | "unknown" | "foreign";

/** One resting order. */
export interface Rung {
  key: string;
  kind: RungKind;
  price: number;
  size: string;
}

/** One filled slot: its level, and where it takes its profit. */
export interface Holding {
  level: number;
  takeProfit: number | null;
  size: string;
}

export interface Lattice {
  rungs: Rung[];
  holdings: Holding[];
  /** Prices of the window's lowest and highest level; null while unknown. */
  window: { low: number; high: number } | null;
}

export function latticeOf(view: View): Lattice {
  const { bot } = view;
  const slots = [...(bot?.slots.values() ?? [])];
  return {
    rungs: view.orders.map((order) => ({
      key: order.id,
      kind: kindOf(order),
      price: Number(order.price),
      size: order.size,
    })),
    holdings: slots
      .filter((slot) => !isZero(slot.held))
      .map((slot) => ({
        level: Number(slot.level),
        takeProfit: slot.take_profit === null ? null : Number(slot.take_profit),
        size: slot.held,
      })),
    window: bot ? windowOf(bot.window, slots) : null,
  };
}

function kindOf(order: Order): RungKind {
  if (order.state === "UNKNOWN") return "unknown";
  if (order.foreign) return "foreign";
  return order.side === "BUY" ? "buy" : "sell";
}

function windowOf(
  window: { low_slot: number; high_slot: number },
  slots: readonly { k: number; level: string }[],
): { low: number; high: number } | null {
  const levels = slots.filter((slot) => slot.k >= window.low_slot && slot.k <= window.high_slot).map((slot) => Number(slot.level));
  return levels.length < 2 ? null : { low: Math.min(...levels), high: Math.max(...levels) };
}

/** Which of the labels at these heights (pixels) have room for themselves, first come first served. */
export function withRoom(heights: readonly number[], space: number): boolean[] {
  const taken: number[] = [];
  return heights.map((y) => {
    if (taken.some((other) => Math.abs(other - y) < space)) return false;
    taken.push(y);
    return true;
  });
}
