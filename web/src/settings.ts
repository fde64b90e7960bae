// What a reader chose, kept in this browser; without storage the defaults hold.

export type Theme = "auto" | "light" | "dark";

export function read(name: string): string | null {
  try {
    return localStorage.getItem(`opensqt.${name}`);
  } catch {
    return null;
  }
}

export function write(name: string, value: string): void {
  try {
    localStorage.setItem(`opensqt.${name}`, value);
  } catch {
    // Private windows may refuse storage: the choice then lasts as long as the page.
  }
}

export function toTheme(text: string | null): Theme {
  return text === "light" || text === "dark" ? text : "auto";
}

export function applyTheme(theme: Theme): void {
  if (theme === "auto") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.setAttribute("data-theme", theme);
}
