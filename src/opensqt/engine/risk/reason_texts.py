"""What people read for each reason, in English and Chinese: a title for the page and one sentence on what ends it.

The state stream carries the titles, docs/risk.md carries both; a test keeps the three in step.
"""

from typing import NamedTuple

from opensqt.engine.risk.reasons import ACTION_KEYS, POLICIES, WITHHOLD, Code, Pull


class ReasonText(NamedTuple):
    """One code's words; `ends` says when it is over or what to do."""

    title: str
    title_zh: str
    ends: str


REASON_TEXTS: dict[Code, ReasonText] = {
    Code.CONNECTOR_DOWN: ReasonText("No connector", "连接器已断开", "Ends when the engine is attached again."),
    Code.RECOVERING: ReasonText(
        "Matching with the exchange", "正在与交易所核对", "Ends when every order of ours is proven."
    ),
    Code.WAITING_FOR_PRICE: ReasonText("Waiting for a price", "等待价格", "Ends with the first valid book."),
    Code.WAITING_FOR_DISK: ReasonText("Waiting for the disk", "等待写入磁盘", "Ends when the lattice is on disk."),
    Code.WAITING_FOR_LEVERAGE: ReasonText(
        "Setting the leverage", "正在设置杠杆", "Ends when the exchange reports the configured leverage."
    ),
    Code.START_CHECK: ReasonText(
        "A start check refuses", "启动检查未通过", "Ends when the check passes; its message says the fix."
    ),
    Code.BOOK_NOT_VALID: ReasonText("Order book not valid", "订单簿无效", "Ends with a valid book."),
    Code.MARKET_STREAM_DOWN: ReasonText("Market data down", "行情中断", "Ends when the connector's feed is valid."),
    Code.PRIVATE_STREAM_DOWN: ReasonText(
        "Account stream down", "账户数据流中断", "Ends when the account's stream is up again."
    ),
    Code.LOOP_STALLED: ReasonText(
        "The engine was held up", "引擎曾停顿", "Ends when the session and the books were begun anew."
    ),
    Code.CLOCK_SKEW: ReasonText(
        "Clock differs from the exchange's",
        "时钟与交易所不一致",
        "Ends when the clocks agree; set this machine's clock.",
    ),
    Code.PRICE_JUMP: ReasonText("The price jumped", "价格跳变", "Ends when the price has been calm for the hold time."),
    Code.SYMBOL_NOT_TRADING: ReasonText(
        "Not trading at the exchange", "交易所暂停交易", "Ends when the symbol trades."
    ),
    Code.INSTRUMENT_CHANGED: ReasonText(
        "Tick or lot size changed",
        "最小变动单位已改变",
        "Close by hand, then begin anew with another id and tag.",
    ),
    Code.OPERATOR_PAUSE: ReasonText("Paused by the operator", "操作员已暂停", "Ends with `resume`."),
    Code.OUT_OF_RANGE: ReasonText(
        "Price outside of the range", "价格超出设定区间", "Ends when the price is back inside of the range."
    ),
    Code.POSITION_MISMATCH: ReasonText(
        "Position does not match", "仓位不一致", "Ends when both agree; compare the exchange's trades, then resume."
    ),
    Code.OVERSOLD: ReasonText("A slot sold too much", "格位超卖", "Compare the exchange's trades, then resume."),
    Code.LEVERAGE_REFUSED: ReasonText(
        "Leverage was not accepted", "杠杆设置被拒绝", "Ends when the exchange reports the configured leverage."
    ),
    Code.SETTINGS_CHANGED: ReasonText(
        "Account settings were changed",
        "账户设置被更改",
        "Ends when leverage, margin and position mode are as configured.",
    ),
    Code.INSUFFICIENT_MARGIN: ReasonText(
        "Not enough margin", "保证金不足", "Ends after a rest; deposit or lower sizes."
    ),
    Code.RATE_LIMITED: ReasonText("Rate limited", "请求被限速", "Ends after the time the exchange asked for."),
    Code.FILL_RATE: ReasonText("Too many fills at once", "成交过快", "Ends after the hold time."),
    Code.DAILY_LOSS: ReasonText("Daily loss limit", "达到当日亏损上限", "Ends with the UTC day, or with `resume`."),
    Code.DRAWDOWN: ReasonText("Drawdown limit", "达到最大回撤", "Ends with `resume`, which starts a new peak."),
    Code.LIQUIDATION_NEAR: ReasonText(
        "Liquidation is near", "接近强平价", "Ends when the distance has grown by a fifth above the limit."
    ),
    Code.VOLUME_HALT: ReasonText("Market-wide sell-off", "全市场放量下跌", "Ends when enough symbols have recovered."),
    Code.LIQUIDATED: ReasonText("Liquidated by the exchange", "已被交易所强平", "Look at the account, then resume."),
    Code.CREDENTIALS_REFUSED: ReasonText(
        "The exchange refuses the key", "交易所拒绝 API 密钥", "Give the connector a key that may trade, then resume."
    ),
    Code.UNKNOWN_ORDERS: ReasonText(
        "The fate of orders is unknown", "订单状态未知", "Ends when the exchange tells what became of them."
    ),
    Code.STORE_STALLED: ReasonText(
        "State is not being saved", "状态未能保存", "Ends when the disk takes writes again."
    ),
    Code.STORE_LOST: ReasonText(
        "State could not be saved for long",
        "状态长时间未能保存",
        "Ends when the disk takes writes again; its message says if a restart is needed.",
    ),
    Code.FENCED: ReasonText("Another engine runs this bot", "另一引擎正在运行此机器人", "Stop one of the two."),
    Code.MAX_POSITION: ReasonText("Position limit", "仓位上限", "An opening order was not sent."),
    Code.MAX_NOTIONAL: ReasonText("Notional limit", "名义价值上限", "An opening order was not sent."),
    Code.MAX_ORDER_NOTIONAL: ReasonText("Order size limit", "单笔订单上限", "An opening order was not sent."),
    Code.MAX_OPEN_ORDERS: ReasonText("Open orders limit", "挂单数量上限", "An order waits for a free place."),
    Code.ORDER_RATE: ReasonText("Order rate limit", "下单频率上限", "An opening order waits for the next moment."),
    Code.PRICE_COLLAR: ReasonText("Too far through the mark", "偏离标记价格过多", "An order was not sent."),
    Code.SELF_TRADE: ReasonText("Would trade with ourselves", "会与自己成交", "An order waits for the other to go."),
    Code.FILTER_REJECTED: ReasonText("Breaks a rule of the exchange", "不符合交易所规则", "An order was not sent."),
}

_PULL_TEXTS = {
    Pull.KEEP: "stay",
    Pull.WHEN_STALE: "opening ones go when it lasts",
    Pull.NOW: "opening ones go",
    Pull.ALL: "all of ours go",
    Pull.FLATTEN: "all of ours go, then the position",
}


def docs_table() -> list[str]:
    """Return the table of docs/risk.md, line by line."""
    lines = [
        "| code | title | 中文 | state | resting orders | action set by | when it ends, what to do |",
        "|---|---|---|---|---|---|---|",
    ]
    for code, text in REASON_TEXTS.items():
        policy = POLICIES[code]
        name = f"`{code.value}`" + ("¹" if policy == WITHHOLD else "")
        state = "(no change)" if policy == WITHHOLD else policy.state.name
        key = f"`{ACTION_KEYS[code]}`" if code in ACTION_KEYS else ""
        lines.append(
            f"| {name} | {text.title} | {text.title_zh} | {state} | {_PULL_TEXTS[policy.pull]} | {key} | {text.ends} |"
        )
    return lines
