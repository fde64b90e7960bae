// What an edit would do, in words and as the list of orders it touches.

import { h } from "../dom";
import type { Figures, Preview, Step } from "../edit";
import { money, NONE, plain, price } from "../format";
import { type Key, t, tName } from "../i18n";
import type { Bot } from "../store";

export function previewNodes(told: Preview, bot: Bot): Node[] {
  const count = (kind: Step["kind"]): number => told.steps.filter((step) => step.kind === kind).length;
  const nodes: Node[] = [];
  if (told.refusals.length > 0) nodes.push(lines(told.refusals, "problem"));
  if (told.warnings.length > 0) nodes.push(lines(told.warnings, "edit-warning"));
  if (told.what.length > 0) nodes.push(lines(told.what, "edit-what"));
  const counts = { add: count("ADD"), move: count("MOVE"), cancel: count("CANCEL"), keep: told.untouched_orders };
  nodes.push(h("p", { class: "edit-summary", id: "edit-summary" }, t("edit.summary", counts)));
  if (told.carries.length > 0) nodes.push(h("p", { class: "hint" }, t("edit.carries", { n: told.carries.length })));
  if (told.steps.length > 0) nodes.push(stepTable(told.steps));
  nodes.push(figureTable(told, bot));
  return nodes;
}

function lines(texts: readonly string[], kind: string): HTMLElement {
  return h("ul", { class: kind }, ...texts.map((text) => h("li", {}, text)));
}

function stepTable(steps: readonly Step[]): HTMLElement {
  const heads = [t("edit.step"), t("orders.side"), t("orders.price"), t("orders.size"), t("orders.slot")];
  const rows = steps.map((step) =>
    h(
      "tr",
      { "data-step": step.kind, "data-side": step.side, "data-price": step.price, "data-size": step.quantity },
      h("td", {}, tName("step", step.kind)),
      h("td", {}, tName("side", step.side)),
      h("td", { class: "num" }, change(step.old_price, step.price)),
      h("td", { class: "num" }, change(step.old_quantity, step.quantity)),
      h("td", { class: "num" }, String(step.slot)),
    ),
  );
  const head = h("tr", {}, ...heads.map((text, index) => h("th", { scope: "col", class: index > 1 ? "num" : "" }, text)));
  const table = h("table", { class: "table table-steps" }, h("caption", { class: "visually-hidden" }, t("edit.steps")), h("thead", {}, head), h("tbody", {}, ...rows));
  return h("div", { class: "table-scroll", tabindex: 0, role: "region", "aria-label": t("edit.steps") }, table);
}

function change(before: string | null, after: string): string {
  return before === null || before === after ? plain(after) : `${plain(before)} → ${plain(after)}`;
}

function figureTable(told: Preview, bot: Bot): HTMLElement {
  const decimals = bot.instrument.price_decimals;
  const { base, quote, settle } = bot.instrument;
  const rows: [Key, (figures: Figures) => string][] = [
    ["figures.worst", (f) => `${plain(f.worst_case_position)} ${base} · ${money(f.worst_case_notional, 2)} ${quote}`],
    ["figures.margin", (f) => `${money(f.margin_needed, 2)} / ${money(f.equity, 2)} ${settle}`],
    ["figures.liquidation", (f) => (f.liquidation_price === null ? NONE : price(f.liquidation_price, decimals))],
    ["figures.step", (f) => `${plain(f.step)} ${quote}`],
    ["figures.cycle", (f) => `${money(f.profit_per_cycle, 4)} ${settle}`],
    ["figures.orders", (f) => (f.buy_orders + f.sell_orders === 0 ? NONE : `${f.buy_orders} / ${f.sell_orders}`)],
  ];
  const head = h("tr", {}, h("th", { scope: "col" }, ""), ...[t("figures.before"), t("figures.after")].map((text) => h("th", { scope: "col", class: "num" }, text)));
  const body = rows.map(([key, show]) =>
    h("tr", {}, h("th", { scope: "row" }, t(key)), h("td", { class: "num" }, show(told.before)), h("td", { class: "num" }, show(told.after))),
  );
  return h("table", { class: "table table-figures" }, h("caption", { class: "visually-hidden" }, t("figures.title")), h("thead", {}, head), h("tbody", {}, ...body));
}
