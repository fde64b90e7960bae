// What is held, what it is worth, and how far away the venue would close it.

import { price, isZero, money, NONE, percent, plain, signedMoney, signOf } from "../format";
import { t } from "../i18n";
import type { View } from "../view";
import { createFacts, createPanel, type Widget } from "./panel";

export function createPosition(): Widget<View> {
  const facts = createFacts([
    "position.size",
    "position.value",
    "position.entry",
    "position.mark",
    "position.unrealized",
    "position.liquidation",
    "position.leverage",
  ]);
  const panel = createPanel("position", "position.title", facts.root);

  return {
    root: panel.root,
    relabel() {
      panel.relabel();
      facts.relabel();
    },
    render(view) {
      const { position, bot } = view;
      panel.setFreshness(view.fresh.account, view.fromVenue && position !== null);
      const mark = view.markPrice ?? position?.mark_price ?? null;
      const flat = !position || isZero(position.size);
      const base = bot?.instrument.base ?? "";
      const quote = bot?.instrument.quote ?? "";
      const side = flat ? "" : t(signOf(position.size) > 0 ? "position.long" : "position.short");
      facts.set("position.size", position ? `${plain(position.size)} ${base}`.trim() : NONE, {
        sign: signOf(position?.size),
        note: flat ? (position ? t("kpi.flat") : "") : side,
      });
      const value = flat || mark === null ? NONE : `${money((Math.abs(Number(position.size)) * Number(mark)).toFixed(2), 2)} ${quote}`;
      facts.set("position.value", value.trim());
      facts.set("position.entry", flat ? NONE : price(position.entry_price, view.priceDecimals));
      facts.set("position.mark", price(mark, view.priceDecimals));
      facts.set("position.unrealized", flat ? NONE : signedMoney(position.unrealized_pnl, 4), {
        sign: signOf(position?.unrealized_pnl),
      });
      const liquidation = position?.liquidation_price ?? null;
      const distance = liquidation && mark ? percent(Math.abs(Number(liquidation) - Number(mark)), Number(mark), 1) : "";
      facts.set("position.liquidation", price(liquidation, view.priceDecimals), {
        note: distance ? t("position.distance", { percent: distance }) : "",
      });
      facts.set("position.leverage", position?.leverage ? `${position.leverage}× ${position.margin_type}` : NONE);
    },
  };
}
