// Prices that have a name on the axis: entry, mark, liquidation, anchor, range.

import { LineStyle } from "lightweight-charts";
import { isZero } from "../format";
import { t } from "../i18n";
import type { View } from "../view";
import type { Colors } from "./colors";
import type { LineOptions } from "./price-lines";

export function levelLines(view: View, colors: Colors): Map<string, LineOptions> {
  const lines = new Map<string, LineOptions>();
  const add = (key: string, price: string | null | undefined, color: string, title: string, style: LineStyle): void => {
    if (!price || isZero(price)) return;
    lines.set(key, { price: Number(price), color, lineWidth: 1, lineStyle: style, axisLabelVisible: true, title });
  };
  const { position, bot } = view;
  if (position && !isZero(position.size)) {
    add("entry", position.entry_price, colors.accent, t("chart.entry"), LineStyle.Solid);
    add("liquidation", position.liquidation_price, colors.down, t("chart.liquidation"), LineStyle.Solid);
  }
  add("mark", view.markPrice, colors.muted, t("chart.mark"), LineStyle.SparseDotted);
  add("anchor", bot?.grid.anchor, colors.muted, t("chart.anchor"), LineStyle.Dotted);
  add("range low", bot?.grid.range_lower, colors.warning, t("chart.rangeLow"), LineStyle.Solid);
  add("range high", bot?.grid.range_upper, colors.warning, t("chart.rangeHigh"), LineStyle.Solid);
  return lines;
}
