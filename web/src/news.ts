// What a reader has not been told yet. Pure.

import type { Fill, JournalEntry } from "./protocol";
import type { State } from "./store";

/** What is new since the last look. */
export interface News {
  fills: Fill[];
  alarms: JournalEntry[];
}

/** Remembers what was told. */
export class Newsreader {
  private readonly newestFill = new Map<string, string>();
  private readonly newestAlarmMs = new Map<string, number>();

  read(state: State): News {
    const news: News = { fills: [], alarms: [] };
    for (const bot of state.bots.values()) {
      const seen = this.newestFill.get(bot.id);
      const newest = bot.fills.at(-1)?.id;
      if (newest !== undefined && newest !== seen) {
        // The first look at a bot is no news: its fills happened before we came.
        if (seen !== undefined) news.fills.push(...after(bot.fills, seen));
        this.newestFill.set(bot.id, newest);
      } else if (seen === undefined) this.newestFill.set(bot.id, newest ?? "");
      const sinceMs = this.newestAlarmMs.get(bot.id);
      const alarms = bot.journal.filter((entry) => entry.level === "alarm");
      if (sinceMs !== undefined) news.alarms.push(...alarms.filter((entry) => entry.time_ms > sinceMs));
      this.newestAlarmMs.set(bot.id, Math.max(sinceMs ?? 0, ...alarms.map((entry) => entry.time_ms)));
    }
    return news;
  }
}

function after(fills: readonly Fill[], id: string): Fill[] {
  const index = fills.findIndex((fill) => fill.id === id);
  return fills.slice(index + 1);
}
