// The frame of every panel: a heading, a badge that says when its numbers are old, and a body.

import { h, setAttribute, setHidden, setText } from "../dom";
import { clockTime, duration } from "../format";
import type { Freshness } from "../freshness";
import { type Key, t } from "../i18n";

export interface Panel {
  root: HTMLElement;
  body: HTMLElement;
  /** Right side of the heading. */
  aside: HTMLElement;
  /** Draw the heading again in the current language. */
  relabel(): void;
  /** Say whether the numbers inside are fresh; stale ones are dimmed and dated. */
  setFreshness(freshness: Freshness, fromVenue?: boolean): void;
}

export function createPanel(name: string, title: Key, ...body: Node[]): Panel {
  const headingId = `${name}-title`;
  const heading = h("h2", { id: headingId });
  const badge = h("span", { class: "badge badge-stale", hidden: true });
  const origin = h("span", { class: "badge", hidden: true });
  const aside = h("div", { class: "panel-aside" });
  const bodyElement = h("div", { class: "panel-body" }, ...body);
  const root = h(
    "section",
    { class: `panel panel-${name}`, id: `panel-${name}`, "aria-labelledby": headingId },
    h("header", { class: "panel-head" }, heading, origin, badge, aside),
    bodyElement,
  );
  return {
    root,
    body: bodyElement,
    aside,
    relabel() {
      setText(heading, t(title));
    },
    setFreshness(freshness, fromVenue = false) {
      setAttribute(root, "data-stale", freshness.stale ? ageStep(Date.now() - freshness.sinceMs) : undefined);
      setHidden(badge, !freshness.stale);
      if (freshness.stale) {
        const age = t("stale.ago", { age: duration(Date.now() - freshness.sinceMs) });
        setText(badge, `${t("stale.since", { time: clockTime(freshness.sinceMs) })} (${age})`);
        setAttribute(badge, "title", freshness.detail || undefined);
      }
      setHidden(origin, !fromVenue);
      if (fromVenue) setText(origin, t("source.venue"));
    },
  };
}

/** The older a number is, the more it fades. */
function ageStep(ageMs: number): string {
  return ageMs < 10_000 ? "seconds" : ageMs < 120_000 ? "minutes" : "long";
}

/** A list of names and values. */
export interface Facts {
  root: HTMLElement;
  relabel(): void;
  /** Set a value; the sign colours it, null hides the line. */
  set(key: Key, value: string | null, options?: { sign?: number; note?: string }): void;
}

export function createFacts(keys: readonly Key[]): Facts {
  const root = h("dl", { class: "facts" });
  const rows = new Map<Key, { row: HTMLElement; term: HTMLElement; value: HTMLElement; note: HTMLElement }>();
  for (const key of keys) {
    const term = h("dt");
    const value = h("span", { class: "number", "data-fact": key });
    const note = h("span", { class: "note" });
    const row = h("div", {}, term, h("dd", {}, value, note));
    rows.set(key, { row, term, value, note });
    root.append(row);
  }
  return {
    root,
    relabel() {
      for (const [key, { term }] of rows) setText(term, t(key));
    },
    set(key, value, options = {}) {
      const row = rows.get(key);
      if (!row) return;
      setHidden(row.row, value === null);
      setText(row.value, value ?? "");
      setText(row.note, options.note ?? "");
      const sign = options.sign;
      setAttribute(row.value, "data-sign", sign === undefined ? undefined : sign > 0 ? "up" : sign < 0 ? "down" : "none");
    },
  };
}

/** A table whose head is drawn in the reader's language. */
export interface Table {
  root: HTMLElement;
  body: HTMLElement;
  relabel(): void;
  /** Show the empty text, or another one, instead of the table. */
  setEmpty(isEmpty: boolean, why?: Key): void;
}

export function createTable(name: string, caption: Key, empty: Key, columns: readonly (readonly [Key, string])[]): Table {
  const captionElement = h("caption", { class: "visually-hidden" });
  const heads = columns.map(([, kind]) => h("th", { scope: "col", class: kind }));
  const body = h("tbody");
  const emptyElement = h("p", { class: "empty", hidden: true });
  const table = h("table", { class: `table table-${name}` }, captionElement, h("thead", {}, h("tr", {}, ...heads)), body);
  const root = h("div", { class: "table-scroll", tabindex: 0, role: "region" }, table, emptyElement);
  return {
    root,
    body,
    relabel() {
      setText(captionElement, t(caption));
      setAttribute(root, "aria-label", t(caption));
      setText(emptyElement, t(empty));
      columns.forEach(([key], index) => setText(heads[index] as HTMLElement, t(key)));
    },
    setEmpty(isEmpty, why) {
      setText(emptyElement, t(why ?? empty));
      setHidden(emptyElement, !isEmpty);
      setHidden(table, isEmpty);
    },
  };
}

/** What `main` calls on every panel. */
export interface Widget<Input> {
  root: HTMLElement;
  relabel(): void;
  render(input: Input): void;
}
