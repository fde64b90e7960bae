// Which prices the chart makes room for. Pure.

/** How much taller than its candles a chart may become to show orders. */
const STRETCH = 4;

/**
 * Widen the candles' range to hold the order prices nearest to `price`, as far as the candles stay readable.
 */
export function widenRange(
  range: { low: number; high: number },
  price: number,
  orders: readonly number[],
): { low: number; high: number } {
  let { low, high } = range;
  const limit = Math.max((high - low) * STRETCH, price * 0.002);
  const nearest = [...orders].sort((a, b) => Math.abs(a - price) - Math.abs(b - price));
  for (const order of nearest) {
    const nextLow = Math.min(low, order);
    const nextHigh = Math.max(high, order);
    if (nextHigh - nextLow > limit) continue;
    low = nextLow;
    high = nextHigh;
  }
  return { low, high };
}

/** The open time (Unix seconds) of the candle a moment belongs to; null when it is older than every candle. */
export function candleTimeOf(timeMs: number, openTimes: readonly number[]): number | null {
  const time = Math.floor(timeMs / 1000);
  let low = 0;
  let high = openTimes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((openTimes[middle] as number) <= time) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? null : (openTimes[low - 1] as number);
}
