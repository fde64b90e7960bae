// Why an order exists: slot, rule, what the rule saw, what became of the order.

import { botPath, request, withQuery } from "../api";
import { h } from "../dom";
import { dayTime, money, NONE, plain } from "../format";
import { t, tName } from "../i18n";
import type { Explanation } from "../protocol";

export async function showWhy(botId: string, orderId: string): Promise<void> {
  const body = h("div", { class: "why-body" }, h("p", {}, "…"));
  const close = h("button", { type: "button", class: "button" }, t("why.close"));
  const dialog = h(
    "dialog",
    { class: "dialog dialog-wide", id: "why", "aria-labelledby": "why-title" },
    h("h2", { id: "why-title" }, t("why.title")),
    body,
    h("div", { class: "dialog-buttons" }, close),
  );
  const end = (): void => {
    dialog.close();
    dialog.remove();
  };
  close.addEventListener("click", end);
  dialog.addEventListener("cancel", end);
  document.body.append(dialog);
  dialog.showModal();
  try {
    const told = await request<Explanation>(withQuery(botPath(botId, "why"), { order: orderId }));
    body.replaceChildren(...explain(told));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    body.replaceChildren(h("p", { class: "problem", role: "alert" }, t("why.failed", { message })));
  }
}

function explain(told: Explanation): Node[] {
  const { order } = told;
  const facts: [string, string][] = [
    [t("orders.side"), `${tName("side", order.side)} ${plain(order.size)} @ ${plain(order.price)}`],
    [t("orders.state"), tName("orderState", order.state)],
    [t("orders.slot"), order.slot === null ? NONE : String(order.slot)],
    [t("orders.rule"), tName("rule", order.rule)],
    [t("why.id"), order.id],
    [t("why.venueId"), order.exchange_id || NONE],
    [t("why.version"), String(told.config_version)],
  ];
  const nodes: Node[] = [list(facts)];
  const inputs = Object.entries(told.inputs);
  if (inputs.length > 0) nodes.push(h("h3", {}, t("why.inputs")), list(inputs));
  if (told.history.length > 0) {
    nodes.push(h("h3", {}, t("why.history")), h("ol", { class: "why-history" }, ...told.history.map((line) => h("li", {}, line))));
  }
  if (told.fills.length > 0) {
    const lines = told.fills.map((fill) =>
      h("li", {}, `${dayTime(fill.time_ms, Date.now())} · ${plain(fill.size)} @ ${plain(fill.price)} · ${t("fills.fee")} ${money(fill.fee, 5)} ${fill.fee_asset}`),
    );
    nodes.push(h("h3", {}, t("fills.title")), h("ul", { class: "why-history number" }, ...lines));
  }
  return nodes;
}

function list(facts: readonly [string, string][]): HTMLElement {
  return h("dl", { class: "facts" }, ...facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", { class: "number" }, value))));
}
