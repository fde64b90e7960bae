// Candles with volume, order lines and fill markers. Prices become floating point here and only here: pixels need no more.

import {
  type AutoscaleInfo,
  CandlestickSeries,
  type CandlestickData,
  createChart,
  createSeriesMarkers,
  CrosshairMode,
  type HistogramData,
  HistogramSeries,
  type IChartApi,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  LineStyle,
  type SeriesMarkerPrice,
  type Time,
  type UTCTimestamp,
} from "lightweight-charts";
import { setAttribute } from "../dom";
import { t } from "../i18n";
import type { CandleRow, Fill, Order } from "../protocol";
import type { View } from "../view";
import { type Colors, readColors } from "./colors";
import { type LineOptions, PriceLines } from "./price-lines";
import { candleTimeOf, widenRange } from "./scale";

const VOLUME_SHARE = 0.16;
const MARKED_FILLS = 200;
const LATEST_CANDLES = 90;
const NARROWEST_CANDLE_PX = 6;
const WIDEST_CANDLE_PX = 14;
const RIGHT_MARGIN_CANDLES = 7;

export class Chart {
  private readonly chart: IChartApi;
  private readonly candles: ISeriesApi<"Candlestick">;
  private readonly volume: ISeriesApi<"Histogram">;
  private readonly markers: ISeriesMarkersPluginApi<Time>;
  private readonly lines: PriceLines;
  private colors: Colors = readColors();
  private openTimes: number[] = [];
  private rows: readonly CandleRow[] = [];
  private orderPrices: number[] = [];
  private lastPrice = Number.NaN;
  private markerSignature = "";
  private isLatestWanted = true;

  constructor(
    private readonly container: HTMLElement,
    private readonly onHover: (row: CandleRow | null) => void,
  ) {
    this.chart = createChart(container, {
      autoSize: true,
      // The attribution stands in the panel's own text: the built-in logo needs an inline style sheet.
      layout: { attributionLogo: false, fontFamily: "inherit" },
      crosshair: { mode: CrosshairMode.Normal },
      rightPriceScale: { borderVisible: false },
      timeScale: {
        borderVisible: false,
        timeVisible: true,
        secondsVisible: false,
        rightOffset: RIGHT_MARGIN_CANDLES,
        tickMarkFormatter: localTick,
      },
      localization: { timeFormatter: localTime },
    });
    this.candles = this.chart.addSeries(CandlestickSeries, {
      borderVisible: false,
      autoscaleInfoProvider: (original: () => AutoscaleInfo | null) => this.autoscale(original()),
    });
    this.candles.priceScale().applyOptions({ scaleMargins: { top: 0.06, bottom: VOLUME_SHARE + 0.04 } });
    this.volume = this.chart.addSeries(HistogramSeries, {
      priceScaleId: "volume",
      priceFormat: { type: "volume" },
      lastValueVisible: false,
      priceLineVisible: false,
    });
    this.volume.priceScale().applyOptions({ scaleMargins: { top: 1 - VOLUME_SHARE, bottom: 0 } });
    this.markers = createSeriesMarkers(this.candles, []);
    this.lines = new PriceLines(this.candles);
    this.chart.subscribeCrosshairMove((event) => {
      const time = event.time as number | undefined;
      this.onHover(time === undefined ? null : (this.rows.find((row) => row[0] === time) ?? null));
    });
    this.applyColors();
    // The chart has no width until the page shows it: what to look at is decided then.
    this.chart.timeScale().subscribeSizeChange(() => this.showWanted());
  }

  /** Show all candles of a symbol anew. */
  setCandles(rows: readonly CandleRow[], decimals: number): void {
    this.rows = rows;
    this.openTimes = rows.map((row) => row[0]);
    this.candles.applyOptions({ priceFormat: { type: "price", precision: decimals, minMove: 10 ** -decimals } });
    this.candles.setData(rows.map(candleOf));
    this.volume.setData(rows.map((row) => this.volumeOf(row)));
    this.markerSignature = "";
    this.showWanted();
    setAttribute(this.container, "data-candles", rows.length);
  }

  /** Show candles that changed or came after the newest. */
  updateCandles(rows: readonly CandleRow[], updates: readonly CandleRow[]): void {
    this.rows = rows;
    for (const row of updates) {
      if (row[0] > (this.openTimes.at(-1) ?? 0)) this.openTimes.push(row[0]);
      this.candles.update(candleOf(row));
      this.volume.update(this.volumeOf(row));
    }
    setAttribute(this.container, "data-candles", rows.length);
  }

  /** Show a view's orders, fills and prices. */
  render(view: View): void {
    this.lastPrice = Number(view.lastPrice ?? Number.NaN);
    this.orderPrices = view.orders.map((order) => Number(order.price));
    const lines = this.orderLines(view.orders);
    this.addLevels(view, lines);
    this.lines.render(lines);
    this.renderMarkers(view.bot?.fills.slice(-MARKED_FILLS) ?? []);
    setAttribute(this.container, "data-order-lines", view.orders.length);
    setAttribute(
      this.container,
      "aria-label",
      t("chart.label", { orders: view.orders.length, fills: this.markers.markers().length }),
    );
  }

  /** Scroll back to now. */
  showLatest(): void {
    this.isLatestWanted = true;
    this.showWanted();
  }

  private showWanted(): void {
    const width = this.chart.timeScale().width();
    if (!this.isLatestWanted || width === 0 || this.rows.length === 0) return;
    this.isLatestWanted = false;
    // Spacing and position rather than a range: a range means nothing before the chart has taken its size.
    const spacing = Math.min(WIDEST_CANDLE_PX, Math.max(NARROWEST_CANDLE_PX, width / LATEST_CANDLES));
    this.chart.timeScale().applyOptions({ barSpacing: spacing });
    this.chart.timeScale().scrollToPosition(RIGHT_MARGIN_CANDLES, false);
  }

  /** Take the style sheet's colours again, after the theme changed. */
  applyColors(): void {
    const colors = readColors();
    this.colors = colors;
    this.chart.applyOptions({
      layout: { background: { color: "transparent" }, textColor: colors.muted },
      grid: { vertLines: { color: colors.grid }, horzLines: { color: colors.grid } },
    });
    this.candles.applyOptions({
      upColor: colors.up,
      downColor: colors.down,
      wickUpColor: colors.up,
      wickDownColor: colors.down,
      priceLineColor: colors.accent,
    });
    this.volume.setData(this.rows.map((row) => this.volumeOf(row)));
    this.markerSignature = "";
  }

  private orderLines(orders: readonly Order[]): Map<string, LineOptions> {
    const lines = new Map<string, LineOptions>();
    const byDistance = [...orders].sort((a, b) => this.distance(a) - this.distance(b));
    const named = new Set<string>();
    for (const order of byDistance) {
      const isBuy = order.side === "BUY";
      // Only the nearest order of each side is named on the axis: more would cover each other.
      const isNearest = !named.has(order.side);
      named.add(order.side);
      lines.set(`order ${order.id}`, {
        price: Number(order.price),
        color: order.state === "UNKNOWN" ? this.colors.warning : isBuy ? this.colors.upLine : this.colors.downLine,
        axisLabelColor: isBuy ? this.colors.up : this.colors.down,
        lineWidth: 1,
        lineStyle: order.foreign ? LineStyle.Dotted : LineStyle.Dashed,
        axisLabelVisible: isNearest,
        title: isNearest ? `${t(isBuy ? "chart.buy" : "chart.sell")} ${order.size}` : "",
      });
    }
    return lines;
  }

  private addLevels(view: View, lines: Map<string, LineOptions>): void {
    const add = (key: string, price: string | null | undefined, color: string, title: string): void => {
      if (!price) return;
      lines.set(key, {
        price: Number(price),
        color,
        lineWidth: 1,
        lineStyle: LineStyle.Solid,
        axisLabelVisible: true,
        title,
      });
    };
    const position = view.position;
    if (position && Number(position.size) !== 0) {
      add("entry", position.entry_price, this.colors.accent, t("chart.entry"));
      add("liquidation", position.liquidation_price, this.colors.warning, t("chart.liquidation"));
    }
  }

  private renderMarkers(fills: readonly Fill[]): void {
    const signature = `${fills.length} ${fills.at(-1)?.id ?? ""} ${this.openTimes[0] ?? 0} ${this.colors.up}`;
    if (signature === this.markerSignature) return;
    this.markerSignature = signature;
    const markers: SeriesMarkerPrice<Time>[] = [];
    for (const fill of fills) {
      const time = candleTimeOf(fill.time_ms, this.openTimes);
      if (time === null) continue;
      const isBuy = fill.side === "BUY";
      markers.push({
        time: time as UTCTimestamp,
        position: "atPriceMiddle",
        price: Number(fill.price),
        shape: isBuy ? "arrowUp" : "arrowDown",
        color: isBuy ? this.colors.up : this.colors.down,
        size: 0.7,
      });
    }
    markers.sort((a, b) => Number(a.time) - Number(b.time));
    this.markers.setMarkers(markers);
    setAttribute(this.container, "data-markers", markers.length);
  }

  private autoscale(original: AutoscaleInfo | null): AutoscaleInfo | null {
    const range = original?.priceRange;
    if (!original || !range || !Number.isFinite(this.lastPrice)) return original;
    const wide = widenRange({ low: range.minValue, high: range.maxValue }, this.lastPrice, this.orderPrices);
    return { ...original, priceRange: { minValue: wide.low, maxValue: wide.high } };
  }

  private distance(order: Order): number {
    return Number.isFinite(this.lastPrice) ? Math.abs(Number(order.price) - this.lastPrice) : 0;
  }

  private volumeOf(row: CandleRow): HistogramData {
    const isUp = Number(row[4]) >= Number(row[1]);
    return {
      time: row[0] as UTCTimestamp,
      value: Number(row[5]),
      color: isUp ? this.colors.upFill : this.colors.downFill,
    };
  }
}

function candleOf(row: CandleRow): CandlestickData {
  const [time, open, high, low, close] = row;
  return {
    time: time as UTCTimestamp,
    open: Number(open),
    high: Number(high),
    low: Number(low),
    close: Number(close),
  };
}

const two = (n: number): string => String(n).padStart(2, "0");

function localTime(time: Time): string {
  const date = new Date(Number(time) * 1000);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

function localTick(time: Time): string {
  const date = new Date(Number(time) * 1000);
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return clock === "00:00" ? `${two(date.getMonth() + 1)}-${two(date.getDate())}` : clock;
}
