// The few things we need of the DOM: make elements, change only what differs, keep list rows by key.

type Attributes = Record<string, string | number | boolean | undefined>;

export function h<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) setAttribute(element, key, value);
  element.append(...children);
  return element;
}

export function setAttribute(element: Element, name: string, value: string | number | boolean | undefined): void {
  if (value === undefined || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
    return;
  }
  const text = value === true ? "" : String(value);
  if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Mark a number's sign for the style sheet; colour is never the only carrier, the text has its sign too. */
export function setSign(element: Element, sign: number): void {
  setAttribute(element, "data-sign", sign > 0 ? "up" : sign < 0 ? "down" : "none");
}

export function setHidden(element: HTMLElement, hidden: boolean): void {
  if (element.hidden !== hidden) element.hidden = hidden;
}

/** Rows of a list kept by key: rows that stay are changed in place, in the order asked for. */
export class KeyedRows<Item, Row extends { root: HTMLElement }> {
  private rows = new Map<string, Row>();

  constructor(
    private readonly parent: HTMLElement,
    private readonly keyOf: (item: Item) => string,
    private readonly create: (item: Item) => Row,
    private readonly update: (row: Row, item: Item) => void,
  ) {}

  render(items: readonly Item[]): void {
    const next = new Map<string, Row>();
    let place: ChildNode | null = this.parent.firstChild;
    for (const item of items) {
      const key = this.keyOf(item);
      if (next.has(key)) continue;
      const row = this.rows.get(key) ?? this.create(item);
      next.set(key, row);
      this.rows.delete(key);
      this.update(row, item);
      if (row.root === place) place = place.nextSibling;
      else this.parent.insertBefore(row.root, place);
    }
    for (const row of this.rows.values()) row.root.remove();
    this.rows = next;
  }

  get(key: string): Row | undefined {
    return this.rows.get(key);
  }
}
