// The chart with its legend, attribution and a way back to now.

import { Chart } from "../chart/chart";
import { h, setText } from "../dom";
import { plain, price } from "../format";
import { t } from "../i18n";
import type { CandleRow } from "../protocol";
import type { Change, State } from "../store";
import type { View } from "../view";
import { createPanel, type Widget } from "./panel";

export interface ChartInput {
  view: View;
  state: State;
  changes: readonly Change[];
}

export interface ChartWidget extends Widget<ChartInput> {
  applyColors(): void;
}

const DEFAULT_DECIMALS = 2;

export function createChartPanel(): ChartWidget {
  const legend = h("div", { class: "legend number" });
  const canvas = h("div", { class: "chart", id: "chart", role: "img" });
  const credit = h("a", { class: "credit", href: "https://www.tradingview.com/", target: "_blank", rel: "noopener noreferrer" });
  const reset = h("button", { type: "button", class: "button button-small" });
  const panel = createPanel("chart", "chart.title", legend, canvas);
  panel.aside.append(reset, credit);

  let hovered: CandleRow | null = null;
  let symbol = "";
  let newest: CandleRow | null = null;
  let decimals = DEFAULT_DECIMALS;

  const drawLegend = (): void => {
    const row = hovered ?? newest;
    if (!row) {
      setText(legend, "");
      return;
    }
    const [, open, high, low, close, volume] = row;
    const at = (text: string): string => price(text, decimals);
    const values = { open: at(open), high: at(high), low: at(low), close: at(close), volume: plain(volume) };
    setText(legend, t("chart.legend", values));
  };

  const chart = new Chart(canvas, (row) => {
    hovered = row;
    drawLegend();
  });
  reset.addEventListener("click", () => chart.showLatest());

  return {
    root: panel.root,
    relabel() {
      panel.relabel();
      setText(credit, t("chart.credit"));
      setText(reset, t("chart.reset"));
    },
    render({ view, state, changes }) {
      const rows = state.market.candles.get(view.symbol) ?? [];
      const isOther = symbol !== view.symbol;
      symbol = view.symbol;
      decimals = view.priceDecimals ?? decimalsOf(rows);
      if (isOther || changes.some((change) => change.candlesReset.has(symbol))) {
        if (isOther) chart.showLatest();
        chart.setCandles(rows, decimals);
      } else {
        for (const change of changes) {
          const updates = change.candleUpdates.get(symbol);
          if (updates) chart.updateCandles(rows, updates);
        }
      }
      newest = rows.at(-1) ?? null;
      if (hovered && newest && hovered[0] === newest[0]) hovered = newest;
      chart.render(view);
      drawLegend();
      panel.setFreshness(view.fresh.candles);
    },
    applyColors() {
      chart.applyColors();
    },
  };
}

function decimalsOf(rows: readonly CandleRow[]): number {
  return rows.at(-1)?.[4].split(".")[1]?.length ?? DEFAULT_DECIMALS;
}
