// The account over time: the equity curve, and one bar per day.

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { readColors } from "../chart/colors";
import { h, setAttribute, setHidden, setText } from "../dom";
import { clockTime, dayText, money, signedMoney } from "../format";
import { t } from "../i18n";
import type { DayPnl, EquityPoint } from "../protocol";
import type { View } from "../view";
import { createPanel, type Widget } from "./panel";

export interface MoneyHistoryInput {
  view: View;
  equity: readonly EquityPoint[];
  days: readonly DayPnl[];
  problem: string;
}

export interface MoneyHistoryWidget extends Widget<MoneyHistoryInput> {
  applyColors(): void;
}

const CURVE_HEIGHT_PX = 150;
const BARS_HEIGHT_PX = 110;
const SHOWN_DAYS = 30;
const AXIS_PX = 62;

export function createMoneyHistory(): MoneyHistoryWidget {
  const curve = h("div", { class: "plot", id: "equity-curve", role: "img" });
  const bars = h("div", { class: "plot", id: "daily-bars", role: "img" });
  const curveTitle = h("h3", { class: "plot-title" });
  const barsTitle = h("h3", { class: "plot-title" });
  const empty = h("p", { class: "empty" });
  const plots = h("div", {}, curveTitle, curve, barsTitle, bars);
  const panel = createPanel("history", "history.title", empty, plots);
  let curvePlot: uPlot | null = null;
  let barsPlot: uPlot | null = null;
  let signature = "";
  let width = 0;

  const forget = (): void => {
    curvePlot?.destroy();
    barsPlot?.destroy();
    curvePlot = barsPlot = null;
    signature = "";
  };
  new ResizeObserver(() => {
    const next = Math.floor(curve.clientWidth);
    if (next === width || next === 0) return;
    width = next;
    curvePlot?.setSize({ width, height: CURVE_HEIGHT_PX });
    barsPlot?.setSize({ width, height: BARS_HEIGHT_PX });
  }).observe(curve);

  return {
    root: panel.root,
    relabel() {
      panel.relabel();
      setText(curveTitle, t("history.equity"));
      setText(barsTitle, t("history.days"));
      forget();
    },
    render({ view, equity, days, problem }) {
      panel.setFreshness(view.fresh.bot);
      const isEmpty = days.length === 0;
      setHidden(empty, !isEmpty);
      setHidden(plots, isEmpty);
      setText(empty, problem || t("history.empty"));
      if (isEmpty) return;
      const shownDays = days.slice(-SHOWN_DAYS);
      width ||= Math.floor(curve.clientWidth);
      const last = equity.at(-1);
      const today = shownDays.at(-1);
      const next = `${view.key} ${equity.length} ${last?.time_ms} ${last?.equity} ${shownDays.length} ${today?.date} ${today?.equity_change}`;
      if (next === signature || width === 0) return;
      const curveData: uPlot.AlignedData = [equity.map((point) => point.time_ms / 1_000), equity.map((point) => Number(point.equity))];
      const daysData: uPlot.AlignedData = [shownDays.map((_, index) => index), shownDays.map((day) => Number(day.equity_change))];
      if (signature === "") {
        curvePlot?.destroy();
        barsPlot?.destroy();
        curvePlot = new uPlot(curveOptions(width), curveData, curve);
        barsPlot = new uPlot(barsOptions(width, () => shownDays), daysData, bars);
      } else {
        curvePlot?.setData(curveData);
        barsPlot?.destroy();
        barsPlot = new uPlot(barsOptions(width, () => shownDays), daysData, bars);
      }
      signature = next;
      setAttribute(curve, "data-points", equity.length);
      setAttribute(curve, "data-first", equity[0] && `${equity[0].time_ms} ${equity[0].equity}`);
      setAttribute(curve, "data-last", last?.equity);
      setAttribute(bars, "data-days", shownDays.length);
      setAttribute(bars, "data-today", today?.equity_change);
      setAttribute(curve, "aria-label", t("history.curveLabel", { n: equity.length, last: money(last?.equity) }));
      setAttribute(bars, "aria-label", t("history.barsLabel", { n: shownDays.length, today: signedMoney(today?.equity_change) }));
    },
    applyColors: forget,
  };
}

/** Times of an axis, with the day where it changes. */
function timeTexts(splits: readonly number[]): string[] {
  let day = "";
  return splits.map((seconds) => {
    const ms = seconds * 1_000;
    const [date, clock] = [dayText(ms), clockTime(ms)];
    const isNew = date !== day && day !== "";
    day = date;
    return isNew ? date : clock.endsWith(":00") ? clock.slice(0, 5) : clock;
  });
}

function axes(values?: uPlot.Axis.Values): uPlot.Axis[] {
  const colors = readColors();
  const common = { stroke: colors.muted, grid: { stroke: colors.grid, width: 1 }, ticks: { show: false }, font: "11px system-ui" };
  return [
    { ...common, size: 24, space: 70, ...(values ? { values } : {}) },
    { ...common, size: AXIS_PX, side: 1 },
  ];
}

function curveOptions(width: number): uPlot.Options {
  const colors = readColors();
  return {
    width,
    height: CURVE_HEIGHT_PX,
    legend: { show: false },
    cursor: { y: false, drag: { setScale: false } },
    scales: { y: { range: (_plot, low, high) => padded(low, high) } },
    axes: axes((_plot, splits) => timeTexts(splits)),
    series: [{}, { stroke: colors.accent, fill: colors.window, width: 1.5, points: { show: false } }],
  };
}

function barsOptions(width: number, days: () => readonly DayPnl[]): uPlot.Options {
  const colors = readColors();
  const [x, y] = axes() as [uPlot.Axis, uPlot.Axis];
  const bar = uPlot.paths.bars?.({
    size: [0.7, 36],
    disp: {
      fill: { unit: 3, values: (plot) => (plot.data[1] as number[]).map((value) => (value < 0 ? colors.down : colors.up)) },
    },
  });
  return {
    width,
    height: BARS_HEIGHT_PX,
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false, range: (_plot, low, high) => [low - 0.7, high + 0.7] }, y: { range: (_plot, low, high) => padded(Math.min(0, low), Math.max(0, high)) } },
    axes: [
      {
        ...x,
        splits: (plot) => plot.data[0].filter((_, index) => index % Math.ceil(plot.data[0].length / 8) === 0) as number[],
        values: (_plot, splits) => splits.map((index) => days()[index]?.date.slice(5) ?? ""),
      },
      y,
    ],
    series: [{}, { stroke: colors.muted, width: 0, ...(bar ? { paths: bar } : {}), points: { show: false } }],
  };
}

/** A range with air above and below, also for a flat line. */
function padded(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null || !Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
  const air = (high - low || Math.abs(high) * 0.001 || 1) * 0.12;
  return [low - (low === 0 ? 0 : air), high + (high === 0 ? 0 : air)];
}
