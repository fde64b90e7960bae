// The page's texts in the reader's language. Modules ask `t(key, values)` whenever they draw.

import { en, type Key, type Texts } from "./en";
import { zh } from "./zh";

export type { Key } from "./en";
export type Language = "en" | "zh";

export const LANGUAGES: Record<Language, string> = { en: "English", zh: "中文" };

const TEXTS: Record<Language, Texts> = { en, zh };

let current: Language = "en";

export function language(): Language {
  return current;
}

export function setLanguage(next: Language): void {
  current = next;
}

/** The first language of the browser that we speak. */
export function preferredLanguage(saved: string | null, offered: readonly string[]): Language {
  if (saved === "en" || saved === "zh") return saved;
  for (const tag of offered) {
    if (tag.toLowerCase().startsWith("zh")) return "zh";
    if (tag.toLowerCase().startsWith("en")) return "en";
  }
  return "en";
}

export function t(key: Key, values: Record<string, string | number> = {}): string {
  return fill(TEXTS[current][key], values);
}

/** The text of a key made at run time, for example of a state's name; the name itself where there is none. */
export function tName(prefix: string, name: string): string {
  const key = `${prefix}.${name}`;
  return key in TEXTS[current] ? TEXTS[current][key as Key] : name;
}

/** Put values into a text's {places}. */
export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (place, name: string) => String(values[name] ?? place));
}
