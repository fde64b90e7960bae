// Today's profit from the total: what the stored days before today leave of it. Pure and exact, on text.

import { addText } from "./format";
import type { DayPnl, Pnl } from "./protocol";

export const PARTS = ["grid_profit", "inventory_pnl", "fees", "funding", "transfers", "equity_change"] as const;
export type Part = (typeof PARTS)[number];
export type Parts = Record<Part, string>;

/** What had been earned before today. */
export interface Base {
  /** UTC, YYYY-MM-DD. */
  date: string;
  parts: Parts;
  fills: number;
  cycles: number;
  turnover: string;
  maker_fills: number;
}

export function zeroParts(): Parts {
  return { grid_profit: "0", inventory_pnl: "0", fees: "0", funding: "0", transfers: "0", equity_change: "0" };
}

export function negate(text: string): string {
  return text.startsWith("-") ? text.slice(1) : `-${text}`;
}

/** The days before the last one, added up with everything before the first. */
export function baseOf(before: DayPnl, days: readonly DayPnl[]): Base | null {
  const today = days.at(-1);
  if (!today) return null;
  const base: Base = { date: today.date, parts: zeroParts(), fills: 0, cycles: 0, turnover: "0", maker_fills: 0 };
  for (const day of [before, ...days.slice(0, -1)]) {
    for (const part of PARTS) base.parts[part] = addText(base.parts[part], day[part]);
    base.fills += day.fills;
    base.maker_fills += day.maker_fills;
    base.cycles += day.cycles;
    base.turnover = addText(base.turnover, day.turnover);
  }
  return base;
}

/** Today as the stream tells it now. */
export function todayOf(base: Base, pnl: Pnl): DayPnl {
  const parts = zeroParts();
  for (const part of PARTS) parts[part] = addText(pnl[part], negate(base.parts[part]));
  return {
    ...parts,
    date: base.date,
    start_ms: Date.parse(`${base.date}T00:00:00Z`),
    fills: pnl.fills - base.fills,
    maker_fills: pnl.maker_fills - base.maker_fills,
    turnover: addText(pnl.turnover, negate(base.turnover)),
    cycles: pnl.cycles - base.cycles,
  };
}

export function utcDate(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
