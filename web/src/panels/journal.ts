// What the bot decided, corrected and was told, newest first.

import { h, KeyedRows, setAttribute, setText } from "../dom";
import { dayTime } from "../format";
import type { JournalEntry } from "../protocol";
import type { View } from "../view";
import { createPanel, createTable, type Widget } from "./panel";

interface RowElement {
  root: HTMLElement;
  time: HTMLElement;
  code: HTMLElement;
  message: HTMLElement;
}

const SHOWN = 100;

export function createJournal(): Widget<View> {
  const table = createTable("journal", "journal.title", "journal.empty", [
    ["journal.time", ""],
    ["journal.what", ""],
  ]);
  const panel = createPanel("journal", "journal.title", table.root);
  const rows = new KeyedRows<{ entry: JournalEntry; key: string }, RowElement>(
    table.body,
    (item) => item.key,
    createRow,
    (row, { entry }) => {
      setAttribute(row.root, "data-level", entry.level);
      setText(row.time, dayTime(entry.time_ms, Date.now()));
      setText(row.code, entry.code);
      setText(row.message, entry.message);
    },
  );

  return {
    root: panel.root,
    relabel() {
      panel.relabel();
      table.relabel();
    },
    render(view) {
      panel.setFreshness(view.fresh.bot);
      const entries = view.bot?.journal.slice(-SHOWN) ?? [];
      table.setEmpty(entries.length === 0);
      const seen = new Map<string, number>();
      const items = entries.map((entry) => {
        // Two entries may say the same at the same time: both are shown.
        const base = `${entry.time_ms} ${entry.code} ${entry.message}`;
        const count = (seen.get(base) ?? 0) + 1;
        seen.set(base, count);
        return { entry, key: `${base} ${count}` };
      });
      rows.render(items.reverse());
    },
  };
}

function createRow(): RowElement {
  const time = h("td", { class: "number" });
  const code = h("span", { class: "code" });
  const message = h("span");
  return { root: h("tr", {}, time, h("td", {}, code, " ", message)), time, code, message };
}
