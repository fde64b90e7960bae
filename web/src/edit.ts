// Editing a running grid: what the form says, what the server answers. Pure but for the requests.

import { botPath, request } from "./api";
import type { Grid } from "./protocol";

/** The settings that can be edited, with what the form shows for them. */
export const FIELDS = [
  "interval",
  "ratio",
  "order_quantity",
  "buy_window",
  "sell_window",
  "max_open_orders",
  "range_lower",
  "range_upper",
  "range_action",
  "max_position",
  "max_notional",
  "max_order_notional",
] as const;
export type Field = (typeof FIELDS)[number];

const WHOLE = new Set<Field>(["buy_window", "sell_window", "max_open_orders"]);
/** Where an empty field means "no limit". */
const OPTIONAL = new Set<Field>(["range_lower", "range_upper", "max_position", "max_notional", "max_order_notional"]);
export const RANGE_ACTIONS = ["hold", "stop", "close"] as const;

export type Changes = Partial<Record<Field, string | number>>;

/** The fields a grid has: an arithmetic one has an interval, a geometric one a ratio. */
export function fieldsOf(grid: Grid): Field[] {
  const missing: Field = grid.spacing === "geometric" ? "interval" : "ratio";
  return FIELDS.filter((field) => field !== missing);
}

export function valueOf(grid: Grid, field: Field): string {
  if (field === "ratio") return partsPerBillion(grid.ratio_ppb);
  if (field === "range_action") return grid.range_action || RANGE_ACTIONS[0];
  return String(grid[field] ?? "");
}

/** 1000000 parts per billion are 0.001. */
function partsPerBillion(ppb: number): string {
  const digits = String(ppb).padStart(10, "0");
  return `${digits.slice(0, -9)}.${digits.slice(-9)}`.replace(/\.?0+$/, "");
}

export class FormError extends Error {
  constructor(readonly field: Field) {
    super(field);
  }
}

/** What the form changes; FormError names a field that is no number. */
export function changesOf(grid: Grid, form: Record<string, string>): Changes {
  const changes: Changes = {};
  for (const field of fieldsOf(grid)) {
    const text = (form[field] ?? "").trim().replace(",", ".");
    if (text === valueOf(grid, field)) continue;
    if (field === "range_action") changes[field] = text;
    else if (text === "" && OPTIONAL.has(field)) changes[field] = "0";
    else if (WHOLE.has(field)) changes[field] = wholeNumber(field, text);
    else if (/^\d+(\.\d+)?$/.test(text)) changes[field] = text;
    else throw new FormError(field);
  }
  return changes;
}

function wholeNumber(field: Field, text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new FormError(field);
  return Number(text);
}

export interface Step {
  kind: "ADD" | "MOVE" | "CANCEL";
  side: string;
  slot: number;
  price: string;
  quantity: string;
  old_price: string | null;
  old_quantity: string | null;
  reduce_only: boolean;
  order: string;
  reason: string;
}

export interface Figures {
  worst_case_position: string;
  worst_case_notional: string;
  margin_needed: string;
  equity: string;
  liquidation_price: string | null;
  step: string;
  profit_per_cycle: string;
  buy_orders: number;
  sell_orders: number;
}

export interface Preview {
  base_version: number;
  steps: Step[];
  untouched_orders: number;
  carries: { from_slot: number; to_slot: number; quantity: string; old_take_profit: string; new_take_profit: string }[];
  before: Figures;
  after: Figures;
  refusals: string[];
  warnings: string[];
  what: string[];
  preview_token: string;
  expires_ms: number;
}

export interface Version {
  version: number;
  time_ms: number;
  action: string;
  operator: string;
  what: string[];
  undo_version: number;
  is_current: boolean;
}

export interface Applied {
  version: number;
  applied: Preview;
}

export const previewGrid = (botId: string, changes: Changes): Promise<Preview> =>
  request(botPath(botId, "grid/preview"), { changes });
export const previewUndo = (botId: string): Promise<Preview> => request(botPath(botId, "grid/preview"), { undo: true });
export const applyGrid = (botId: string, changes: Changes, preview: Preview): Promise<Applied> =>
  request(botPath(botId, "grid/apply"), { changes, expected_version: preview.base_version, preview_token: preview.preview_token });
export const undoGrid = (botId: string, preview: Preview): Promise<Applied> =>
  request(botPath(botId, "grid/undo"), { expected_version: preview.base_version, preview_token: preview.preview_token });
export const gridVersions = (botId: string): Promise<{ versions: Version[] }> => request(botPath(botId, "grid/versions"));
