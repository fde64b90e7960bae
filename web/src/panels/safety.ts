// How safe the bot is: its state and why, every limit as a bar against its cap, the volume halt, UNKNOWN orders.

import { h, KeyedRows, setAttribute, setHidden, setText } from "../dom";
import { clockTime, percent, plain, roundText } from "../format";
import { t, tName } from "../i18n";
import type { Correction, HaltSymbol, ReconcileState, RiskLimit, VolumeHalt } from "../protocol";
import type { State } from "../store";
import { limitShare } from "../verdict";
import type { View } from "../view";
import { createFacts, createPanel, createTable, type Widget } from "./panel";
import { titleOf } from "./verdict";

export interface SafetyInput {
  view: View;
  state: State;
}

interface LimitRow {
  root: HTMLElement;
  name: HTMLElement;
  value: HTMLElement;
  bar: HTMLElement;
}

const NEAR = 0.8;
const PLACES = 4;
const SHOWN_CORRECTIONS = 3;

export function createSafety(): Widget<SafetyInput> {
  const facts = createFacts(["safety.state", "safety.unknown", "safety.reconcile", "safety.deadMan"]);
  const corrections = h("ul", { class: "hint", id: "corrections", hidden: true });
  const limitsTitle = h("h3", { class: "plot-title" });
  const list = h("ul", { class: "limits" });
  const noLimits = h("p", { class: "hint" });
  const haltTitle = h("h3", { class: "plot-title" });
  const haltLine = h("p", { class: "hint" });
  const table = createTable("halt", "safety.halt", "safety.noHalt", [
    ["safety.symbol", ""],
    ["safety.volume", "num"],
    ["safety.price", "num"],
    ["orders.state", ""],
  ]);
  const panel = createPanel("safety", "safety.title", facts.root, corrections, limitsTitle, list, noLimits, haltTitle, haltLine, table.root);
  const rows = new KeyedRows<RiskLimit, LimitRow>(list, (limit) => limit.name, createLimit, updateLimit);
  const symbols = new KeyedRows<HaltSymbol, { root: HTMLElement; cells: HTMLElement[] }>(
    table.body,
    (item) => item.symbol,
    () => {
      const cells = ["", "num", "num", ""].map((kind) => h("td", { class: kind }));
      return { root: h("tr", {}, ...cells), cells };
    },
    updateSymbol,
  );

  return {
    root: panel.root,
    relabel() {
      panel.relabel();
      facts.relabel();
      table.relabel();
      setText(limitsTitle, t("safety.limits"));
      setText(noLimits, t("verdict.noLimits"));
      setText(haltTitle, t("safety.halt"));
    },
    render({ view, state }) {
      const { bot } = view;
      panel.setFreshness(view.fresh.bot);
      const unknown = view.orders.filter((order) => order.state === "UNKNOWN").length;
      facts.set("safety.state", bot ? tName("state", bot.state.name) : t("state.none"), {
        note: bot?.state.reasons.map((reason) => reason.code).join(", ") ?? "",
      });
      facts.set("safety.unknown", String(unknown));
      facts.set("safety.reconcile", bot ? reconcileText(bot.reconcile) : null);
      renderCorrections(bot?.reconcile.corrections ?? []);
      facts.set("safety.deadMan", deadManText(bot?.dead_man ?? null, state));
      const limits = bot?.limits ?? [];
      setHidden(noLimits, limits.length > 0);
      rows.render([...limits].sort((a, b) => limitShare(b) - limitShare(a)));
      renderHalt(bot?.volume_halt ?? null);
    },
  };

  function renderCorrections(all: readonly Correction[]): void {
    const last = all.slice(-SHOWN_CORRECTIONS).reverse();
    setHidden(corrections, last.length === 0);
    if (corrections.children.length !== last.length) corrections.replaceChildren(...last.map(() => h("li")));
    last.forEach((one, index) => {
      const line = corrections.children[index] as HTMLElement;
      setText(line, `${one.what}: ${one.evidence}`);
      setAttribute(line, "title", one.order || undefined);
    });
  }

  function renderHalt(halt: VolumeHalt | null): void {
    const isUsed = halt?.enabled ?? false;
    setHidden(table.root, !isUsed);
    setText(haltLine, isUsed && halt ? haltText(halt) : t("safety.haltOff"));
    setAttribute(haltLine, "data-level", halt?.halted ? "bad" : halt?.blind ? "warning" : undefined);
    symbols.render(isUsed && halt ? halt.symbols : []);
    table.setEmpty(isUsed && halt?.symbols.length === 0);
  }
}

function reconcileText(state: ReconcileState): string {
  const values = { time: clockTime(state.last_read_ms), n: state.corrected, suspects: state.suspects, error: state.last_error };
  if (state.last_error) return t("reconcile.failed", values);
  if (!state.last_read_ms) return t("reconcile.notYet");
  return t(state.suspects > 0 ? "reconcile.suspects" : "reconcile.ok", values);
}

function deadManText(deadMan: string | null, state: State): string | null {
  if (deadMan) return tName("deadMan", deadMan);
  const can = state.market.capabilities;
  return can && !can.dead_man_switch ? tName("deadMan", "NOT_OFFERED") : null;
}

function haltText(halt: VolumeHalt): string {
  if (halt.halted) {
    return t("safety.halted", {
      time: clockTime(halt.since_ms),
      recovered: halt.recovered,
      threshold: halt.recovery_threshold,
    });
  }
  return halt.blind
    ? t("safety.blind")
    : t("safety.haltRule", { multiplier: plain(halt.multiplier), window: halt.window, interval: halt.interval });
}

function createLimit(): LimitRow {
  const name = h("span", { class: "limit-name" });
  const value = h("span", { class: "limit-value number" });
  const bar = h("span", { class: "limit-bar" });
  const track = h("span", { class: "limit-track", "aria-hidden": "true" }, bar);
  return { root: h("li", { class: "limit" }, name, value, track), name, value, bar };
}

function updateLimit(row: LimitRow, limit: RiskLimit): void {
  const share = limitShare(limit);
  setText(row.name, titleOf(limit));
  const compare = limit.floor ? "≥" : "/";
  setText(row.value, `${short(limit.value)} ${compare} ${short(limit.cap)} ${unitText(limit.unit)} · ${percent(share, 1, 0)}`);
  const width = `${(Math.min(1, share) * 100).toFixed(1)}%`;
  if (row.bar.style.width !== width) row.bar.style.width = width;
  setAttribute(row.root, "data-limit", limit.name);
  setAttribute(row.root, "data-value", limit.value);
  setAttribute(row.root, "data-level", limit.reached ? "bad" : share >= NEAR ? "warning" : "good");
  setAttribute(row.root, "title", t("safety.limitHint", { name: limit.name, action: tName("limitAction", limit.action) }));
}

function updateSymbol(row: { root: HTMLElement; cells: HTMLElement[] }, item: HaltSymbol): void {
  const state = !item.fresh ? "blind" : item.dumping ? "dumping" : item.recovered ? "recovered" : "calm";
  const texts = [
    item.symbol.split(":")[0] ?? item.symbol,
    `${short(item.volume)} / ${short(item.mean_volume)}`,
    `${plain(item.close)} / ${plain(item.mean_close)}`,
    t(`safety.symbol.${state}`),
  ];
  row.cells.forEach((cell, index) => setText(cell, texts[index] ?? ""));
  setAttribute(row.root, "data-halt", item.symbol);
  setAttribute(row.root, "data-state", state);
  setAttribute(row.root, "data-level", state === "dumping" ? "bad" : state === "blind" ? "warning" : undefined);
  setAttribute(row.root, "title", item.detail || undefined);
}

function unitText(unit: string): string {
  return tName("unit", unit);
}

/** A number without the zeros and digits that tell nothing here. */
function short(text: string): string {
  const rounded = roundText(text, PLACES);
  return plain(rounded.includes(".") ? rounded.replace(/\.?0+$/, "") : rounded);
}
