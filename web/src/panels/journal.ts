// What the bot decided, corrected and was told, newest first; searchable, and into the past.

import { h, KeyedRows, setAttribute, setHidden, setText } from "../dom";
import { dayTime } from "../format";
import { t } from "../i18n";
import type { Past } from "../past";
import type { JournalEntry } from "../protocol";
import type { View } from "../view";
import { createPanel, createTable, type Widget } from "./panel";
import { createSearch } from "./search";

interface RowElement {
  root: HTMLElement;
  time: HTMLElement;
  code: HTMLElement;
  message: HTMLElement;
}

const PAGE = 100;

export function createJournal(past: Past, redraw: () => void): Widget<View> {
  const table = createTable("journal", "journal.title", "journal.empty", [
    ["journal.time", ""],
    ["journal.what", ""],
  ]);
  const older = h("button", { type: "button", class: "button button-small", id: "journal-older" });
  const problem = h("p", { class: "problem", role: "alert" });
  const panel = createPanel("journal", "journal.title", table.root);
  table.root.append(h("div", { class: "table-foot" }, older, problem));
  const search = createSearch("journal", "search.journal", redraw);
  panel.aside.append(search.root);
  let view: View | null = null;
  let shown = PAGE;
  older.addEventListener("click", () => {
    if (!view?.bot) return;
    shown += PAGE;
    void past.loadJournal(view.bot.id, view.bot.journal);
    redraw();
  });
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
      search.relabel();
      setText(older, t("journal.older"));
    },
    render(next) {
      if (view?.key !== next.key) shown = PAGE;
      view = next;
      panel.setFreshness(view.fresh.bot);
      const known = view.bot ? past.journalOf(view.bot.id, view.bot.journal) : [];
      const entries = known.filter((entry) => search.matches(`${entry.code} ${entry.message} ${entry.level}`)).slice(-shown);
      table.setEmpty(entries.length === 0, search.isActive ? "search.none" : undefined);
      const state = view.bot ? past.journalState(view.bot.id) : null;
      setHidden(older, !view.bot || (known.length <= shown && (state?.isComplete ?? true)));
      older.disabled = state?.isLoading ?? false;
      setText(problem, state?.problem ?? "");
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
