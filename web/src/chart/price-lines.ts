// Horizontal lines of a chart kept by key: only lines that changed are touched.

import type { CreatePriceLineOptions, IPriceLine, ISeriesApi } from "lightweight-charts";

export type LineOptions = CreatePriceLineOptions & { price: number };

export class PriceLines {
  private readonly lines = new Map<string, { line: IPriceLine; signature: string }>();

  constructor(private readonly series: ISeriesApi<"Candlestick">) {}

  render(wanted: ReadonlyMap<string, LineOptions>): void {
    for (const [key, { line }] of this.lines) {
      if (!wanted.has(key)) {
        this.series.removePriceLine(line);
        this.lines.delete(key);
      }
    }
    for (const [key, options] of wanted) {
      const signature = JSON.stringify(options);
      const known = this.lines.get(key);
      if (known?.signature === signature) continue;
      if (known) {
        known.line.applyOptions(options);
        known.signature = signature;
      } else {
        this.lines.set(key, { line: this.series.createPriceLine(options), signature });
      }
    }
  }
}
