// What was fetched of the past: candles by symbol and interval, fills and journal by bot. Each grows backwards, a page at
// a time.

import { botPath, request, withQuery } from "./api";
import { fold, type Interval, joinSeries } from "./candles";
import type { CandleRow, Fill, JournalEntry, Order } from "./protocol";

const PAGE_CANDLES = 500;
const PAGE_FILLS = 200;
const PAGE_JOURNAL = 200;
const PAGE_ORDERS = 200;
/** A chart with more candles than this is no longer read, it is scrolled for fun. */
const MAX_CANDLES = 20_000;
const MAX_FILLS = 5_000;
const MAX_JOURNAL = 5_000;
const MAX_ORDERS = 5_000;
const RETRY_AFTER_MS = 5_000;

const ENDED = new Set(["FILLED", "CANCELED", "REJECTED", "EXPIRED"]);

interface Series<Row> {
  rows: Row[];
  isLoading: boolean;
  isComplete: boolean;
  failedAtMs: number;
  problem: string;
}

/** A series that is continued where the answer before says. */
interface Paged<Row> extends Series<Row> {
  cursor: string | null;
}

const emptySeries = <Row>(): Series<Row> => ({
  rows: [],
  isLoading: false,
  isComplete: false,
  failedAtMs: Number.NEGATIVE_INFINITY,
  problem: "",
});

export class Past {
  private readonly candles = new Map<string, Series<CandleRow>>();
  private readonly fills = new Map<string, Paged<Fill>>();
  private readonly orders = new Map<string, Paged<Order>>();
  private readonly journals = new Map<string, Paged<JournalEntry>>();

  /** `onChange` is called when something arrived or failed. */
  constructor(private readonly onChange: () => void) {}

  /** Everything known of a chart, given the minutes the stream told. */
  candlesOf(symbol: string, interval: Interval, minutes: readonly CandleRow[]): CandleRow[] {
    const older = this.candles.get(`${interval} ${symbol}`)?.rows ?? [];
    return joinSeries(older, interval === "1m" ? minutes : fold(minutes, interval));
  }

  /** Everything known of a bot's fills, oldest first, given those the stream told. */
  fillsOf(botId: string, streamed: readonly Fill[]): Fill[] {
    const older = this.fills.get(botId)?.rows;
    if (!older?.length) return [...streamed];
    const known = new Set(streamed.map((fill) => fill.id));
    return [...older.filter((fill) => !known.has(fill.id)), ...streamed];
  }

  /** Whether there may be older fills, and what went wrong when they were asked for. */
  fillState(botId: string): { isLoading: boolean; isComplete: boolean; problem: string } {
    return this.fills.get(botId) ?? emptySeries();
  }

  /** Ask for candles before the oldest known, unless they are on their way or there are none. */
  async loadCandles(symbol: string, interval: Interval, oldestS: number | undefined): Promise<void> {
    const key = `${interval} ${symbol}`;
    const series = this.candles.get(key) ?? emptySeries<CandleRow>();
    this.candles.set(key, series);
    if (series.rows.length >= MAX_CANDLES) series.isComplete = true;
    const path = withQuery("api/candles", {
      symbol,
      interval,
      limit: PAGE_CANDLES,
      before_ms: oldestS === undefined ? undefined : oldestS * 1_000,
    });
    await this.load(series, async () => {
      const answer = await request<{ candles: CandleRow[] }>(path);
      const older = oldestS === undefined ? answer.candles : answer.candles.filter((row) => row[0] < oldestS);
      if (older.length === 0) series.isComplete = true;
      else series.rows = joinSeries(older, series.rows);
    });
  }

  /** Ask for fills before the oldest known, unless they are on their way or there are none. */
  async loadFills(botId: string, streamed: readonly Fill[]): Promise<void> {
    const series = this.fills.get(botId) ?? { ...emptySeries<Fill>(), cursor: null };
    this.fills.set(botId, series);
    if (series.rows.length >= MAX_FILLS) series.isComplete = true;
    const oldest = streamed[0];
    const path = withQuery(botPath(botId, "fills"), {
      limit: PAGE_FILLS,
      cursor: series.cursor ?? undefined,
      // Fills of the same millisecond come again; they are known by their id.
      before_ms: series.cursor === null && oldest ? oldest.time_ms + 1 : undefined,
    });
    await this.load(series, async () => {
      const answer = await request<{ fills: Fill[]; older: string | null }>(path);
      const known = new Set(series.rows.map((fill) => fill.id));
      series.rows = [...answer.fills.filter((fill) => !known.has(fill.id)), ...series.rows];
      series.cursor = answer.older;
      series.isComplete = answer.older === null;
    });
  }

  /** Orders of a bot that have ended, as far as they were asked for, newest first. */
  endedOrdersOf(botId: string): Order[] {
    return (this.orders.get(botId)?.rows ?? []).filter((order) => ENDED.has(order.state)).reverse();
  }

  orderState(botId: string): { isLoading: boolean; isComplete: boolean; problem: string } {
    return this.orders.get(botId) ?? emptySeries();
  }

  /** Ask for the newest orders again; those fetched before stay. */
  async refreshOrders(botId: string): Promise<void> {
    const series = this.orders.get(botId) ?? { ...emptySeries<Order>(), cursor: null };
    this.orders.set(botId, series);
    // The first page also says where older ones begin.
    if (series.rows.length === 0) return this.loadOrders(botId);
    if (series.isLoading) return;
    const newest: Series<Order> = emptySeries();
    await this.load(newest, async () => {
      const answer = await request<{ orders: Order[] }>(withQuery(botPath(botId, "orders"), { limit: PAGE_ORDERS }));
      const fresh = new Set(answer.orders.map((order) => order.id));
      series.rows = [...series.rows.filter((order) => !fresh.has(order.id)), ...answer.orders];
    });
    series.problem = newest.problem;
  }

  /** Ask for orders that ended before the oldest known. */
  async loadOrders(botId: string): Promise<void> {
    const series = this.orders.get(botId) ?? { ...emptySeries<Order>(), cursor: null };
    this.orders.set(botId, series);
    if (series.rows.length >= MAX_ORDERS) series.isComplete = true;
    const path = withQuery(botPath(botId, "orders"), { limit: PAGE_ORDERS, cursor: series.cursor ?? undefined });
    await this.load(series, async () => {
      const answer = await request<{ orders: Order[]; older: string | null }>(path);
      const known = new Set(series.rows.map((order) => order.id));
      series.rows = [...answer.orders.filter((order) => !known.has(order.id)), ...series.rows];
      series.cursor = answer.older;
      series.isComplete = answer.older === null;
    });
  }

  /** Everything known of a bot's journal, oldest first, given what the stream told. */
  journalOf(botId: string, streamed: readonly JournalEntry[]): JournalEntry[] {
    const older = this.journals.get(botId)?.rows;
    if (!older?.length) return [...streamed];
    const known = new Set(streamed.map(entryKey));
    return [...older.filter((entry) => !known.has(entryKey(entry))), ...streamed];
  }

  journalState(botId: string): { isLoading: boolean; isComplete: boolean; problem: string } {
    return this.journals.get(botId) ?? emptySeries();
  }

  /** Ask for journal entries before the oldest known. */
  async loadJournal(botId: string, streamed: readonly JournalEntry[]): Promise<void> {
    const series = this.journals.get(botId) ?? { ...emptySeries<JournalEntry>(), cursor: null };
    this.journals.set(botId, series);
    if (series.rows.length >= MAX_JOURNAL) series.isComplete = true;
    const path = withQuery(botPath(botId, "journal"), { limit: PAGE_JOURNAL, cursor: series.cursor ?? undefined });
    await this.load(series, async () => {
      const answer = await request<{ entries: JournalEntry[]; older: string | null }>(path);
      const oldestMs = streamed[0]?.time_ms ?? Number.POSITIVE_INFINITY;
      series.rows = [...answer.entries.filter((entry) => entry.time_ms <= oldestMs), ...series.rows];
      series.cursor = answer.older;
      series.isComplete = answer.older === null;
    });
  }

  private async load<Row>(series: Series<Row>, fetchPage: () => Promise<void>): Promise<void> {
    if (series.isLoading || series.isComplete || performance.now() - series.failedAtMs < RETRY_AFTER_MS) return;
    series.isLoading = true;
    try {
      await fetchPage();
      series.problem = "";
    } catch (error) {
      series.failedAtMs = performance.now();
      series.problem = error instanceof Error ? error.message : String(error);
    } finally {
      series.isLoading = false;
      this.onChange();
    }
  }
}

function entryKey(entry: JournalEntry): string {
  return `${entry.time_ms} ${entry.code} ${entry.message}`;
}
