// Candles of longer intervals made from minutes, and older ones joined with newer. Pure; volumes are added as text.

import { addText } from "./format";
import type { CandleRow } from "./protocol";

export const INTERVALS = ["1m", "5m", "15m", "1h"] as const;
export type Interval = (typeof INTERVALS)[number];

const SECONDS: Record<Interval, number> = { "1m": 60, "5m": 300, "15m": 900, "1h": 3_600 };

export function toInterval(text: string | null): Interval {
  return INTERVALS.find((interval) => interval === text) ?? "1m";
}

export function secondsOf(interval: Interval): number {
  return SECONDS[interval];
}

/**
 * Fold minutes, oldest first, into candles of an interval. A first candle whose beginning is missing is left out: its
 * open and volume would be wrong.
 */
export function fold(minutes: readonly CandleRow[], interval: Interval): CandleRow[] {
  const length = SECONDS[interval];
  const folded: CandleRow[] = [];
  for (const row of minutes) {
    const opens = row[0] - (row[0] % length);
    const last = folded.at(-1);
    if (last?.[0] === opens) folded[folded.length - 1] = join(last, row);
    else if (folded.length > 0 || row[0] === opens) folded.push([opens, row[1], row[2], row[3], row[4], row[5]]);
  }
  return folded;
}

function join(candle: CandleRow, minute: CandleRow): CandleRow {
  const high = Number(minute[2]) > Number(candle[2]) ? minute[2] : candle[2];
  const low = Number(minute[3]) < Number(candle[3]) ? minute[3] : candle[3];
  return [candle[0], candle[1], high, low, minute[4], addText(candle[5], minute[5])];
}

/** Older candles followed by newer ones; where both know a time, the newer ones are right. */
export function joinSeries(older: readonly CandleRow[], newer: readonly CandleRow[]): CandleRow[] {
  const from = newer[0]?.[0];
  if (from === undefined) return [...older];
  return [...older.filter((row) => row[0] < from), ...newer];
}
