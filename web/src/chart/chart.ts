// Candles with volume, the lattice, and fill markers. Prices become floating point here and only here: pixels need no more.

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
  type MouseEventParams,
  type Time,
  type UTCTimestamp,
} from "lightweight-charts";
import { setAttribute } from "../dom";
import type { CandleRow, Fill } from "../protocol";
import type { View } from "../view";
import { type Colors, readColors } from "./colors";
import { LadderPrimitive } from "./ladder";
import { levelLines } from "./levels";
import { byCandle, type FillsByCandle, markersOf } from "./marks";
import { PriceLines } from "./price-lines";
import { latticeOf } from "./rungs";
import { widenRange } from "./scale";
import { localTick, localTime } from "./time-text";

const VOLUME_SHARE = 0.16;
const MARKED_FILLS = 2_000;
const LATEST_CANDLES = 90;
const NARROWEST_CANDLE_PX = 6;
const WIDEST_CANDLE_PX = 14;
const RIGHT_MARGIN_PX = 160;
const RIGHT_MARGIN_SHARE = 0.4;
/** Older candles are asked for when fewer than this many are left of what is shown. */
const READ_AHEAD_CANDLES = 60;

export interface ChartEvents {
  /** The reader points at a candle, or away from all of them. */
  hover(row: CandleRow | null, fills: readonly Fill[], point: { x: number; y: number } | null): void;
  /** The reader sees almost the oldest candle. */
  wantOlder(): void;
}

export class Chart {
  private readonly chart: IChartApi;
  private readonly candles: ISeriesApi<"Candlestick">;
  private readonly volume: ISeriesApi<"Histogram">;
  private readonly markers: ISeriesMarkersPluginApi<Time>;
  private readonly lines: PriceLines;
  private readonly ladder: LadderPrimitive;
  private colors: Colors = readColors();
  private openTimes: number[] = [];
  private rows: readonly CandleRow[] = [];
  private candleS = 60;
  private orderPrices: number[] = [];
  private lastPrice = Number.NaN;
  private markerSignature = "";
  private fills: FillsByCandle = new Map();
  private isLatestWanted = true;

  constructor(
    private readonly container: HTMLElement,
    private readonly events: ChartEvents,
  ) {
    this.chart = createChart(container, {
      autoSize: true,
      // The attribution stands in the panel's own text: the built-in logo needs an inline style sheet.
      layout: { attributionLogo: false, fontFamily: "inherit" },
      crosshair: { mode: CrosshairMode.Normal },
      rightPriceScale: { borderVisible: false },
      timeScale: { borderVisible: false, timeVisible: true, secondsVisible: false, tickMarkFormatter: localTick },
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
    this.ladder = new LadderPrimitive(() => this.colors);
    this.candles.attachPrimitive(this.ladder);
    this.markers = createSeriesMarkers(this.candles, []);
    this.lines = new PriceLines(this.candles);
    this.chart.subscribeCrosshairMove((event) => this.onPointer(event));
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range && this.rows.length > 0 && range.from < READ_AHEAD_CANDLES && !this.isLatestWanted) this.events.wantOlder();
    });
    this.applyColors();
    // The chart has no width until the page shows it: what to look at is decided then.
    this.chart.timeScale().subscribeSizeChange(() => this.showWanted());
  }

  /** Show all candles of a symbol anew. */
  setCandles(rows: readonly CandleRow[], decimals: number, candleS: number): void {
    this.rows = rows;
    this.candleS = candleS;
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

  /** Show a view's lattice, prices and fills. */
  render(view: View, fills: readonly Fill[]): void {
    this.lastPrice = Number(view.lastPrice ?? Number.NaN);
    const lattice = latticeOf(view);
    this.orderPrices = lattice.rungs.map((rung) => rung.price);
    this.ladder.set(lattice, this.lastPrice);
    this.lines.render(levelLines(view, this.colors));
    this.renderMarkers(fills.slice(-MARKED_FILLS));
    setAttribute(this.container, "data-order-lines", lattice.rungs.length);
    setAttribute(this.container, "data-holdings", lattice.holdings.length);
    setAttribute(this.container, "data-unknown", lattice.rungs.filter((rung) => rung.kind === "unknown").length);
  }

  get markerCount(): number {
    return this.markers.markers().length;
  }

  /** Scroll back to now. */
  showLatest(): void {
    this.isLatestWanted = true;
    this.showWanted();
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

  private showWanted(): void {
    const width = this.chart.timeScale().width();
    if (!this.isLatestWanted || width === 0 || this.rows.length === 0) return;
    this.isLatestWanted = false;
    // Spacing and position rather than a range: a range means nothing before the chart has taken its size.
    const spacing = Math.min(WIDEST_CANDLE_PX, Math.max(NARROWEST_CANDLE_PX, width / LATEST_CANDLES));
    const margin = Math.round(Math.min(RIGHT_MARGIN_PX, width * RIGHT_MARGIN_SHARE) / spacing);
    this.chart.timeScale().applyOptions({ barSpacing: spacing, rightOffset: margin });
    this.chart.timeScale().scrollToPosition(margin, false);
  }

  private onPointer(event: MouseEventParams): void {
    const time = event.time as number | undefined;
    const row = time === undefined ? null : (this.rows.find((one) => one[0] === time) ?? null);
    const fills = row ? (this.fills.get(row[0]) ?? []) : [];
    this.events.hover(row, fills, event.point ?? null);
  }

  private renderMarkers(fills: readonly Fill[]): void {
    const signature = `${fills.length} ${fills.at(-1)?.id ?? ""} ${this.openTimes[0] ?? 0} ${this.openTimes.length} ${this.colors.up}`;
    if (signature === this.markerSignature) return;
    this.markerSignature = signature;
    this.fills = byCandle(fills, this.openTimes, this.candleS);
    const markers = markersOf(this.fills, this.colors);
    this.markers.setMarkers(markers);
    setAttribute(this.container, "data-markers", markers.length);
    setAttribute(this.container, "data-newest-fill", fills.at(-1)?.id);
  }

  private autoscale(original: AutoscaleInfo | null): AutoscaleInfo | null {
    const range = original?.priceRange;
    if (!original || !range || !Number.isFinite(this.lastPrice)) return original;
    const wide = widenRange({ low: range.minValue, high: range.maxValue }, this.lastPrice, this.orderPrices);
    return { ...original, priceRange: { minValue: wide.low, maxValue: wide.high } };
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
