// The chart with its intervals, legend, the fills under the pointer, attribution and a way back to now.

import { type Interval, INTERVALS, secondsOf, toInterval } from "../candles";
import { Chart } from "../chart/chart";
import { h, setAttribute, setHidden, setSign, setText } from "../dom";
import { clockTime, plain, price, signedMoney, signOf } from "../format";
import { t, tName } from "../i18n";
import type { Past } from "../past";
import type { CandleRow, Fill } from "../protocol";
import { read, write } from "../settings";
import type { Change, State } from "../store";
import type { View } from "../view";
import { createPanel, type Widget } from "./panel";

export interface ChartInput {
  view: View;
  state: State;
  changes: readonly Change[];
  fills: readonly Fill[];
}

export interface ChartWidget extends Widget<ChartInput> {
  applyColors(): void;
}

const DEFAULT_DECIMALS = 2;
const SHOWN_FILLS = 6;
const TIP_WIDTH_PX = 230;
/** Closed minutes that may still change the candle that forms. */
const TAIL_MINUTES = 130;

export function createChartPanel(past: Past, redraw: () => void): ChartWidget {
  let interval: Interval = toInterval(read("interval"));
  let hovered: CandleRow | null = null;
  let key = "";
  let shown: CandleRow[] = [];
  let decimals = DEFAULT_DECIMALS;
  let view: View | null = null;
  let fills: readonly Fill[] = [];

  const legend = h("div", { class: "legend number" });
  const canvas = h("div", { class: "chart", id: "chart", role: "img" });
  const tip = h("ul", { class: "fill-tip number", hidden: true });
  const stage = h("div", { class: "chart-stage" }, canvas, tip);
  const credit = h("a", { class: "credit", href: "https://www.tradingview.com/", target: "_blank", rel: "noopener noreferrer" });
  const reset = h("button", { type: "button", class: "button button-small" });
  const intervals = h("div", { class: "segments", role: "group" });
  const buttons = new Map(
    INTERVALS.map((name) => [name, h("button", { type: "button", class: "segment", "data-interval": name }, name)]),
  );
  intervals.append(...buttons.values());
  const panel = createPanel("chart", "chart.title", legend, stage);
  panel.aside.append(intervals, reset, credit);

  const drawLegend = (): void => {
    const row = hovered ?? shown.at(-1);
    if (!row) {
      setText(legend, "");
      return;
    }
    const [, open, high, low, close, volume] = row;
    const at = (text: string): string => price(text, decimals);
    setText(legend, t("chart.legend", { open: at(open), high: at(high), low: at(low), close: at(close), volume: plain(volume) }));
  };

  const chart = new Chart(canvas, {
    hover(row, inCandle, point) {
      hovered = row;
      drawLegend();
      drawTip(tip, inCandle, point, stage.clientWidth);
    },
    wantOlder() {
      if (!view) return;
      void past.loadCandles(view.symbol, interval, shown[0]?.[0]);
      const oldestFillMs = fills[0]?.time_ms ?? 0;
      if (view.bot && shown[0] && oldestFillMs > shown[0][0] * 1_000) void past.loadFills(view.bot.id, view.bot.fills);
    },
  });
  reset.addEventListener("click", () => chart.showLatest());
  for (const [name, button] of buttons) {
    button.addEventListener("click", () => {
      interval = name;
      write("interval", name);
      redraw();
    });
  }

  return {
    root: panel.root,
    relabel() {
      panel.relabel();
      setText(credit, t("chart.credit"));
      setText(reset, t("chart.reset"));
      setAttribute(intervals, "aria-label", t("chart.interval"));
    },
    render(input) {
      view = input.view;
      fills = input.fills;
      for (const [name, button] of buttons) setAttribute(button, "aria-pressed", name === interval ? "true" : "false");
      const minutes = input.state.market.candles.get(view.symbol) ?? [];
      const nextKey = `${interval} ${view.symbol}`;
      const isOther = key !== nextKey;
      key = nextKey;
      decimals = view.priceDecimals ?? decimalsOf(minutes);
      const all = past.candlesOf(view.symbol, interval, minutes);
      if (isOther && interval !== "1m") void past.loadCandles(view.symbol, interval, undefined);
      const isReset = input.changes.some((change) => change.candlesReset.has(view?.symbol ?? ""));
      const tail = newerThan(all, shown);
      if (isOther || isReset || tail === null) {
        shown = all;
        if (isOther) chart.showLatest();
        chart.setCandles(all, decimals, secondsOf(interval));
      } else if (tail.length > 0) {
        shown = all;
        chart.updateCandles(all, tail);
      }
      const newest = shown.at(-1);
      if (hovered && newest && hovered[0] === newest[0]) hovered = newest;
      chart.render(view, fills);
      drawLegend();
      setAttribute(canvas, "data-interval", interval);
      setAttribute(canvas, "data-close", newest?.[4]);
      setAttribute(canvas, "data-last-closed", shown.at(-2)?.join(" "));
      const label = { interval, orders: view.orders.length, fills: chart.markerCount };
      setAttribute(canvas, "aria-label", t("chart.label", label));
      panel.setFreshness(view.fresh.candles);
    },
    applyColors() {
      chart.applyColors();
    },
  };
}

/** What must be drawn to get from one list of candles to the other; null when only drawing all anew does it. */
function newerThan(all: readonly CandleRow[], shown: readonly CandleRow[]): CandleRow[] | null {
  const last = shown.at(-1);
  if (!last || all[0]?.[0] !== shown[0]?.[0] || all.length < shown.length) return null;
  const from = Math.max(0, shown.length - Math.min(shown.length, TAIL_MINUTES));
  for (let index = from; index < shown.length; index += 1) {
    if (all[index]?.[0] !== shown[index]?.[0]) return null;
  }
  const before = shown.length - 1;
  const isSame = (all[before] as CandleRow).every((value, index) => value === last[index]);
  return all.slice(isSame ? shown.length : before);
}

function decimalsOf(rows: readonly CandleRow[]): number {
  return rows.at(-1)?.[4].split(".")[1]?.length ?? DEFAULT_DECIMALS;
}

function drawTip(tip: HTMLElement, fills: readonly Fill[], point: { x: number; y: number } | null, width: number): void {
  setHidden(tip, fills.length === 0 || point === null);
  if (fills.length === 0 || point === null) return;
  const lines = fills.slice(-SHOWN_FILLS).map((fill) => {
    const profit = h("span", {}, fill.grid_profit === null ? "" : signedMoney(fill.grid_profit, 4));
    setSign(profit, signOf(fill.grid_profit));
    const text = t("chart.fill", {
      time: clockTime(fill.time_ms),
      side: tName("side", fill.side),
      size: plain(fill.size),
      price: plain(fill.price),
      slot: fill.slot ?? "–",
    });
    return h("li", { "data-side": fill.side }, text, " ", profit);
  });
  if (fills.length > SHOWN_FILLS) lines.push(h("li", { class: "muted" }, t("chart.moreFills", { n: fills.length - SHOWN_FILLS })));
  tip.replaceChildren(...lines);
  tip.style.left = `${point.x > width / 2 ? Math.max(0, point.x - TIP_WIDTH_PX - 16) : point.x + 16}px`;
  tip.style.top = `${Math.max(4, point.y - 20)}px`;
}
