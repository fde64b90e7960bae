// Open orders, nearest to the price first; searchable, and each can say why it exists.

import { h, KeyedRows, setAttribute, setText } from "../dom";
import { duration, isZero, NONE, plain } from "../format";
import { t, tName } from "../i18n";
import type { Order } from "../protocol";
import type { View } from "../view";
import { createPanel, createTable, type Widget } from "./panel";
import { createSearch } from "./search";

interface RowElement {
  root: HTMLElement;
  cells: HTMLElement[];
  why: HTMLButtonElement;
}

export interface OrdersInput {
  view: View;
  /** The venue's time now, Unix ms: ages are measured on the venue's clock. */
  venueNowMs: number;
}

export interface WhyActions {
  why(orderId: string): void;
  redraw(): void;
}

const KINDS = ["", "num", "num", "num minor", "", "num minor", "minor", "num"] as const;

export function createOrders(actions: WhyActions): Widget<OrdersInput> {
  const table = createTable("orders", "orders.title", "orders.empty", [
    ["orders.side", ""],
    ["orders.price", "num"],
    ["orders.size", "num"],
    ["orders.filled", "num minor"],
    ["orders.state", ""],
    ["orders.slot", "num minor"],
    ["orders.rule", "minor"],
    ["orders.age", "num"],
    ["orders.why", ""],
  ]);
  const panel = createPanel("orders", "orders.title", table.root);
  const search = createSearch("orders", "search.orders", actions.redraw);
  const count = h("span", { class: "count number" });
  panel.aside.append(search.root, count);
  let venueNowMs = 0;
  const rows = new KeyedRows<Order, RowElement>(
    table.body,
    (order) => order.id,
    (order) => {
      const cells = KINDS.map((kind) => h("td", { class: kind }));
      const why = whyButton(() => actions.why(order.id));
      return { root: h("tr", {}, ...cells, h("td", {}, why)), cells, why };
    },
    (element, order) => updateRow(element, order, venueNowMs),
  );

  return {
    root: panel.root,
    relabel() {
      panel.relabel();
      table.relabel();
      search.relabel();
    },
    render(input) {
      venueNowMs = input.venueNowMs;
      const { view } = input;
      panel.setFreshness(view.fresh.orders, view.fromVenue && view.orders.length > 0);
      const price = Number(view.lastPrice ?? 0);
      const distance = (order: Order): number => Math.abs(Number(order.price) - price);
      const orders = view.orders
        .filter((order) => search.matches(textsOf(order, venueNowMs).join(" ") + order.id))
        .sort((a, b) => distance(a) - distance(b) || a.id.localeCompare(b.id));
      table.setEmpty(orders.length === 0, search.isActive ? "search.none" : undefined);
      setText(count, search.isActive ? `${orders.length} / ${view.orders.length}` : String(view.orders.length));
      rows.render(orders);
    },
  };
}

export function whyButton(onClick: () => void): HTMLButtonElement {
  const button = h("button", { type: "button", class: "button button-small" });
  button.addEventListener("click", onClick);
  return button;
}

function textsOf(order: Order, venueNowMs: number): string[] {
  return [
    tName("side", order.side),
    plain(order.price),
    plain(order.size),
    isZero(order.filled) ? NONE : plain(order.filled),
    tName("orderState", order.state),
    order.slot === null ? NONE : String(order.slot),
    order.foreign ? t("orders.foreign") : order.rule ? tName("rule", order.rule) : NONE,
    order.created_ms ? duration(Math.max(0, venueNowMs - order.created_ms)) : NONE,
  ];
}

function updateRow(element: RowElement, order: Order, venueNowMs: number): void {
  const texts = textsOf(order, venueNowMs);
  element.cells.forEach((cell, index) => setText(cell, texts[index] ?? ""));
  setText(element.why, t("orders.why"));
  setAttribute(element.why, "aria-label", t("why.ofOrder", { side: texts[0] ?? "", price: texts[1] ?? "" }));
  element.why.hidden = order.foreign;
  setAttribute(element.root, "data-order", order.id);
  setAttribute(element.root, "data-side", order.side);
  setAttribute(element.root, "data-order-state", order.state);
  setAttribute(element.root, "title", [order.id, order.reason].filter(Boolean).join(" · "));
}
