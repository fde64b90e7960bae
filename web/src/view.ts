// What one screen shows: a bot, or a symbol nobody trades, from whichever side still knows it. Pure.

import { type Freshness, freshnessOf, type Link } from "./freshness";
import type { Account, Order, Position } from "./protocol";
import type { Bot, State } from "./store";

export interface View {
  /** Bot id, or `symbol:` and the symbol where no bot is known. */
  key: string;
  label: string;
  symbol: string;
  bot: Bot | null;
  priceDecimals: number | null;
  lastPrice: string | null;
  markPrice: string | null;
  position: Position | null;
  account: Account | null;
  orders: Order[];
  /** True when position, account and orders come from the venue because the engine does not answer. */
  fromVenue: boolean;
  fresh: { candles: Freshness; prices: Freshness; bot: Freshness; account: Freshness; orders: Freshness; budget: Freshness };
}

const SYMBOL_KEY = "symbol:";

/** Every screen there is: bots first, then symbols without one. */
export function viewKeys(state: State): { key: string; label: string }[] {
  const bots = [...state.bots.values()];
  const traded = new Set(bots.map((bot) => bot.symbol));
  const symbols = [...state.market.candles.keys()].filter((symbol) => !traded.has(symbol));
  return [
    ...bots.map((bot) => ({ key: bot.id, label: `${shortSymbol(bot.symbol)} · ${bot.id}` })),
    ...symbols.map((symbol) => ({ key: SYMBOL_KEY + symbol, label: shortSymbol(symbol) })),
  ];
}

/** BTC/USDT:USDT is BTC/USDT to a reader. */
export function shortSymbol(symbol: string): string {
  return symbol.split(":")[0] ?? symbol;
}

export function viewOf(state: State, link: Link, key: string): View {
  const bot = state.bots.get(key) ?? null;
  const symbol = bot?.symbol ?? key.slice(SYMBOL_KEY.length);
  const market = state.market;
  // With the engine away, the venue's own word is newer than the engine's last one.
  const engineStale = state.sources.get("engine")?.stale ?? true;
  const venueKnows = !(state.sources.get("account")?.stale ?? true);
  const fromVenue = bot === null || (engineStale && venueKnows);
  const venuePosition = market.positions.get(symbol) ?? null;
  const venuePrice = market.prices.get(symbol)?.price ?? null;
  const botId = bot?.id ?? null;
  const source = fromVenue ? null : botId;
  const pricesFromEngine = bot !== null && !engineStale;
  return {
    key,
    label: bot ? `${shortSymbol(symbol)} · ${bot.id}` : shortSymbol(symbol),
    symbol,
    bot,
    priceDecimals: bot?.instrument.price_decimals ?? null,
    lastPrice: (pricesFromEngine ? bot.prices.last : venuePrice) ?? bot?.prices.last ?? null,
    markPrice: (pricesFromEngine ? bot.prices.mark : (venuePosition?.mark_price ?? null)) ?? null,
    position: fromVenue ? (venuePosition ?? bot?.position ?? null) : (bot?.position ?? null),
    account: fromVenue ? (market.account ?? bot?.account ?? null) : (bot?.account ?? null),
    orders: fromVenue ? venueOrders(state, symbol, bot) : [...(bot?.orders.values() ?? [])],
    fromVenue,
    fresh: {
      candles: freshnessOf(state, link, "candles", null),
      prices: freshnessOf(state, link, "prices", pricesFromEngine ? botId : null),
      bot: freshnessOf(state, link, "bot", botId),
      account: freshnessOf(state, link, "account", source),
      orders: freshnessOf(state, link, "orders", source),
      budget: freshnessOf(state, link, "budget", null),
    },
  };
}

function venueOrders(state: State, symbol: string, bot: Bot | null): Order[] {
  return [...state.market.orders.values()]
    .filter((order) => order.symbol === symbol)
    .map((order) => {
      const known = bot?.orders.get(order.client_id);
      return {
        id: order.client_id || order.id,
        exchange_id: order.id,
        slot: known?.slot ?? null,
        side: order.side,
        type: order.type,
        price: order.price,
        size: order.size,
        filled: order.filled,
        state: order.status === "NEW" ? "LIVE" : order.status,
        rule: known?.rule ?? "",
        reduce_only: known?.reduce_only ?? false,
        post_only: known?.post_only ?? false,
        foreign: known?.foreign ?? false,
        reason: null,
        created_ms: known?.created_ms ?? 0,
        updated_ms: order.updated_ms,
      };
    });
}
