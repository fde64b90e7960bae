"""The tables, as migrations: the database's `user_version` is how many of them have run. Never edit one, add one.

Decimals are TEXT, because SQLite's REAL is a float; prices and sizes are integers of ticks and lots.
"""

MIGRATIONS = (
    """
    CREATE TABLE bots (
        bot_id TEXT PRIMARY KEY,
        tag TEXT NOT NULL,
        symbol TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        config_version INTEGER NOT NULL,
        config_text TEXT NOT NULL,
        document TEXT NOT NULL
    ) STRICT;
    CREATE TABLE baselines (
        asset TEXT PRIMARY KEY,
        bot_ids TEXT NOT NULL,
        cash TEXT NOT NULL
    ) STRICT;
    CREATE TABLE totals (
        bot_id TEXT PRIMARY KEY,
        document TEXT NOT NULL
    ) STRICT;
    CREATE TABLE slots (
        bot_id TEXT NOT NULL,
        slot INTEGER NOT NULL,
        lots INTEGER NOT NULL,
        cost_ticks_lots INTEGER NOT NULL,
        cycles INTEGER NOT NULL,
        profit_ticks_lots INTEGER NOT NULL,
        PRIMARY KEY (bot_id, slot)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE orders (
        client_order_id TEXT PRIMARY KEY,
        bot_id TEXT NOT NULL,
        symbol TEXT NOT NULL,
        exchange_order_id TEXT NOT NULL,
        slot INTEGER NOT NULL,
        rule TEXT NOT NULL,
        inputs TEXT NOT NULL,
        config_version INTEGER NOT NULL,
        side INTEGER NOT NULL,
        type INTEGER NOT NULL,
        time_in_force INTEGER NOT NULL,
        price_ticks INTEGER NOT NULL,
        lots INTEGER NOT NULL,
        filled_lots INTEGER NOT NULL,
        filled_ticks_lots INTEGER NOT NULL,
        reduce_only INTEGER NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL,
        is_open INTEGER NOT NULL,
        created_ns INTEGER NOT NULL,
        updated_ns INTEGER NOT NULL,
        instrument_revision INTEGER NOT NULL,
        history TEXT NOT NULL
    ) STRICT;
    CREATE INDEX orders_open ON orders (bot_id) WHERE is_open;
    CREATE INDEX orders_time ON orders (symbol, updated_ns, client_order_id);
    CREATE INDEX orders_exchange_id ON orders (exchange_order_id);
    CREATE TABLE fills (
        symbol TEXT NOT NULL,
        trade_id TEXT NOT NULL,
        bot_id TEXT NOT NULL,
        client_order_id TEXT NOT NULL,
        exchange_order_id TEXT NOT NULL,
        slot INTEGER,
        side INTEGER NOT NULL,
        price_ticks INTEGER NOT NULL,
        lots INTEGER NOT NULL,
        cumulative_filled_lots INTEGER NOT NULL,
        fee TEXT NOT NULL,
        fee_asset TEXT NOT NULL,
        is_maker INTEGER NOT NULL,
        origin INTEGER NOT NULL,
        venue_time_ns INTEGER NOT NULL,
        receive_time_ns INTEGER NOT NULL,
        instrument_revision INTEGER NOT NULL,
        profit_ticks_lots INTEGER NOT NULL,
        UNIQUE (symbol, trade_id)
    ) STRICT;
    CREATE INDEX fills_time ON fills (symbol, venue_time_ns, trade_id);
    CREATE INDEX fills_order ON fills (client_order_id);
    CREATE TABLE cash_flows (
        id TEXT PRIMARY KEY,
        bot_id TEXT NOT NULL,
        kind INTEGER NOT NULL,
        symbol TEXT NOT NULL,
        asset TEXT NOT NULL,
        amount TEXT NOT NULL,
        rate TEXT,
        venue_time_ns INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE equity (
        bot_id TEXT NOT NULL,
        time_ns INTEGER NOT NULL,
        equity TEXT NOT NULL,
        mark_price TEXT NOT NULL,
        position_lots INTEGER NOT NULL,
        entry_price TEXT NOT NULL,
        grid_profit TEXT NOT NULL,
        inventory TEXT NOT NULL,
        fees TEXT NOT NULL,
        funding TEXT NOT NULL,
        transfers TEXT NOT NULL,
        unexplained TEXT NOT NULL,
        PRIMARY KEY (bot_id, time_ns)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE journal (
        bot_id TEXT NOT NULL,
        time_ns INTEGER NOT NULL,
        level TEXT NOT NULL,
        code TEXT NOT NULL,
        message TEXT NOT NULL
    ) STRICT;
    CREATE INDEX journal_time ON journal (bot_id, time_ns);
    CREATE TABLE audit (
        bot_id TEXT NOT NULL,
        time_ns INTEGER NOT NULL,
        action TEXT NOT NULL,
        detail TEXT NOT NULL
    ) STRICT;
    """,
    # Who did it, and the versions of a grid that was edited while it ran.
    """
    ALTER TABLE audit ADD COLUMN who TEXT NOT NULL DEFAULT '';
    CREATE TABLE grid_versions (
        bot_id TEXT NOT NULL,
        version INTEGER NOT NULL,
        time_ns INTEGER NOT NULL,
        action TEXT NOT NULL,
        who TEXT NOT NULL,
        what TEXT NOT NULL,
        undo_version INTEGER NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (bot_id, version)
    ) STRICT, WITHOUT ROWID;
    """,
    # How many cycles of its slot a fill closed: days are summed from fills. Unknown for fills stored before.
    """
    ALTER TABLE fills ADD COLUMN cycles INTEGER NOT NULL DEFAULT 0;
    """,
)
