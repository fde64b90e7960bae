// A search field for a panel's rows: every word must be somewhere in a row's text.

import { h, setAttribute } from "../dom";
import { type Key, t } from "../i18n";

export interface Search {
  root: HTMLElement;
  relabel(): void;
  /** Whether a row with this text is wanted. */
  matches(text: string): boolean;
  readonly isActive: boolean;
}

export function createSearch(name: string, label: Key, onInput: () => void): Search {
  const input = h("input", { type: "search", class: "search", id: `${name}-search`, autocomplete: "off", spellcheck: "false" });
  let words: string[] = [];
  input.addEventListener("input", () => {
    words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    onInput();
  });
  return {
    root: input,
    relabel() {
      setAttribute(input, "aria-label", t(label));
      setAttribute(input, "placeholder", t("search.hint"));
    },
    matches(text) {
      const lower = text.toLowerCase();
      return words.every((word) => lower.includes(word));
    },
    get isActive() {
      return words.length > 0;
    },
  };
}
