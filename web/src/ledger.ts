// The money of the past, fetched for the bot on screen and kept fresh: days, and points of the equity curve.

import { botPath, request, withQuery } from "./api";
import { type Base, baseOf, todayOf, utcDate } from "./days";
import type { DayPnl, EquityPoint } from "./protocol";
import type { Bot } from "./store";

const REFRESH_MS = 30_000;
const RETRY_MS = 5_000;
const MAX_POINTS = 2_000;
const LIVE_STEP_MS = 1_000;
const MAX_LIVED = 3_600;

interface Account {
  days: DayPnl[];
  base: Base | null;
  points: EquityPoint[];
  problem: string;
}

interface DailyAnswer {
  days: DayPnl[];
  before: DayPnl;
}

const EMPTY: Account = { days: [], base: null, points: [], problem: "" };

export class Ledger {
  private readonly accounts = new Map<string, Account>();
  private readonly nextAtMs = new Map<string, number>();
  private readonly busy = new Set<string>();
  /** What the stream told since the page was opened, a point a second: newer than what is stored. */
  private readonly lived = new Map<string, EquityPoint[]>();

  /** `onChange` is called when something arrived or failed. */
  constructor(private readonly onChange: () => void) {}

  /** Days oldest first, the last one being today as the stream tells it. */
  daysOf(bot: Bot): DayPnl[] {
    const { days, base } = this.accounts.get(bot.id) ?? EMPTY;
    return base ? [...days.slice(0, -1), todayOf(base, bot.pnl)] : [];
  }

  todayOf(bot: Bot): DayPnl | null {
    return this.daysOf(bot).at(-1) ?? null;
  }

  /** Points of the equity curve: those stored, then those of the stream, the last one being now. */
  pointsOf(bot: Bot, nowMs: number): EquityPoint[] {
    const { points } = this.accounts.get(bot.id) ?? EMPTY;
    const lived = this.lived.get(bot.id) ?? [];
    this.lived.set(bot.id, lived);
    const timeMs = nowMs - (nowMs % LIVE_STEP_MS);
    const point = { time_ms: timeMs, equity: bot.pnl.equity, equity_change: bot.pnl.equity_change };
    if ((lived.at(-1)?.time_ms ?? 0) < timeMs) lived.push(point);
    else lived[lived.length - 1] = point;
    if (lived.length > MAX_LIVED) lived.shift();
    const storedUntilMs = points.at(-1)?.time_ms ?? 0;
    return [...points, ...lived.filter((one) => one.time_ms > storedUntilMs)];
  }

  problemOf(botId: string): string {
    return this.accounts.get(botId)?.problem ?? "";
  }

  /** Fetch what is missing or old. Call it as often as you like. */
  async refresh(bot: Bot, nowMs: number): Promise<void> {
    const account = this.accounts.get(bot.id) ?? EMPTY;
    const isNewDay = account.base !== null && account.base.date !== utcDate(nowMs);
    const isDue = performance.now() >= (this.nextAtMs.get(bot.id) ?? 0);
    if (this.busy.has(bot.id) || !(isDue || isNewDay)) return;
    this.busy.add(bot.id);
    try {
      const daily = await request<DailyAnswer>(botPath(bot.id, "daily"));
      const curve = await request<{ points: EquityPoint[] }>(withQuery(botPath(bot.id, "equity"), { limit: MAX_POINTS }));
      const base = baseOf(daily.before, daily.days);
      this.accounts.set(bot.id, { days: daily.days, base, points: curve.points, problem: "" });
      this.nextAtMs.set(bot.id, performance.now() + REFRESH_MS);
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      this.accounts.set(bot.id, { ...account, problem });
      this.nextAtMs.set(bot.id, performance.now() + RETRY_MS);
    } finally {
      this.busy.delete(bot.id);
      this.onChange();
    }
  }
}
