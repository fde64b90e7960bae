// Fills as markers, and which of them a reader points at. Pure.

import type { SeriesMarkerPrice, Time, UTCTimestamp } from "lightweight-charts";
import type { Fill } from "../protocol";
import type { Colors } from "./colors";
import { candleTimeOf } from "./scale";

/** Fills of every candle by its open time. */
export type FillsByCandle = Map<number, Fill[]>;

export function byCandle(fills: readonly Fill[], openTimes: readonly number[], candleS: number): FillsByCandle {
  const found: FillsByCandle = new Map();
  for (const fill of fills) {
    const time = candleTimeOf(fill.time_ms, openTimes);
    // A fill in a hole of the candles, or newer than the newest by more than one, belongs to none of them.
    if (time === null || fill.time_ms / 1_000 >= time + 2 * candleS) continue;
    const known = found.get(time);
    if (known) known.push(fill);
    else found.set(time, [fill]);
  }
  return found;
}

export function markersOf(fills: FillsByCandle, colors: Colors): SeriesMarkerPrice<Time>[] {
  const markers: SeriesMarkerPrice<Time>[] = [];
  for (const [time, inCandle] of fills) {
    for (const fill of inCandle) {
      const isBuy = fill.side === "BUY";
      markers.push({
        time: time as UTCTimestamp,
        position: "atPriceMiddle",
        price: Number(fill.price),
        shape: isBuy ? "arrowUp" : "arrowDown",
        color: isBuy ? colors.up : colors.down,
        id: fill.id,
        size: 0.7,
      });
    }
  }
  return markers.sort((a, b) => Number(a.time) - Number(b.time));
}
