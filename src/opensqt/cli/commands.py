"""The list of commands. They are named by import path, so that `--help` imports none of them."""

from cyclopts import App

from opensqt import __version__

app = App(
    name="opensqt",
    help="A grid market maker for crypto perpetual futures.",
    version=__version__,
    result_action="return_value",
)
app.command("opensqt.cli.demo:demo", name="demo", help="Trade on the built-in paper venue: no keys, no network.")
app.command("opensqt.cli.up:up", name="up", help="Start the services of a configuration and keep them running.")
app.command("opensqt.cli.init:init", name="init", help="Answer a few questions, get a safe configuration.")
app.command("opensqt.cli.check:check", name="check", help="Check a configuration; list every problem at once.")
app.command(
    "opensqt.cli.doctor:doctor", name="doctor", help="Look at everything that should be right before you trade."
)
app.command("opensqt.cli.status:status", name="status", help="Show what the running engine does.")
app.command("opensqt.cli.control:pause", name="pause", help="Stop opening orders; take-profits stay.")
app.command("opensqt.cli.control:resume", name="resume", help="Go on after a pause.")
app.command("opensqt.cli.control:stop", name="stop", help="Stop trading: keep, cancel or flatten.")
app.command(
    "opensqt.cli.latency:latency", name="latency", help="Show how long every hop takes, tick to order and back."
)
app.command(
    "opensqt.cli.kill:kill", name="kill", help="Kill switch: cancel all, verify, close if asked; needs no engine."
)
app.command("opensqt.cli.why:why", name="why", help="Explain an order: slot, rule, inputs, what became of it.")
app.command("opensqt.cli.reconcile:reconcile", name="reconcile", help="Compare orders and position with the venue now.")
app.command("opensqt.cli.backup:backup", name="backup", help="Copy the engine's state file while it runs.")
app.command("opensqt.cli.orders:orders", name="orders", help="Show open orders, or what became of every order.")
app.command("opensqt.cli.fills:fills", name="fills", help="Show executions with slot, fee and profit.")
app.command("opensqt.cli.pnl:pnl", name="pnl", help="Show profit in parts that sum exactly, and by day.")
app.command("opensqt.cli.export:export", name="export", help="Write everything stored of the bots as files.")
app.command("opensqt.cli.logs:logs", name="logs", help="Show what the engine decided, or a service's log.")
ledger = App(name="ledger", help="Check the ledger against the venue's wallet, or export it.")
ledger.command("opensqt.cli.ledger:check", name="check", help="Compare with the venue to the last unit.")
ledger.command("opensqt.cli.ledger_export:export", name="export", help="Write fills, funding or days as CSV or JSON.")
app.command(ledger)
grid = App(name="grid", help="Look at a grid before it trades.")
grid.command(
    "opensqt.cli.preview:preview", name="preview", help="Show a configuration's first orders; nothing is sent."
)
app.command(grid)
app.command("opensqt.cli.version:version", name="version", help="Show the version of OpenSQT and what it runs on.")
