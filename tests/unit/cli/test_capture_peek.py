"""Which symbol a capture is of; and a clear end for files that are none."""

import gzip
from decimal import Decimal

import pytest

from opensqt.cli.capture_peek import canonical_symbol, peek
from opensqt.cli.errors import CliError

LINE = b'1721346000000000000 {"stream":"ethusdt@bookTicker","data":{"s":"ETHUSDT","b":"3421.55","a":"3421.56"}}\n'


def write(path, data: bytes):
    path.write_bytes(gzip.compress(data))
    return path


def test_symbol_and_price_come_from_the_capture(tmp_path):
    found = peek([write(tmp_path / "one.jsonl.gz", LINE * 3)])
    assert (found.symbol, found.venue_symbol, found.price) == ("ETH/USDT:USDT", "ETHUSDT", Decimal("3421.55"))


def test_a_missing_file_is_wrong_usage(tmp_path):
    with pytest.raises(CliError, match="no such capture file") as caught:
        peek([tmp_path / "nowhere.gz"])
    assert caught.value.exit_code == 2


def test_a_truncated_file_is_named(tmp_path):
    path = write(tmp_path / "cut.jsonl.gz", LINE * 3)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CliError, match="cut off"):
        peek([path])


def test_lines_out_of_order_are_named(tmp_path):
    with pytest.raises(CliError, match="line 2: the receive time goes back"):
        peek([write(tmp_path / "back.jsonl.gz", LINE + LINE.replace(b"1721346", b"1721345"))])


def test_a_file_of_another_format_is_named(tmp_path):
    with pytest.raises(CliError, match="line 1"):
        peek([write(tmp_path / "other.gz", b"a,b,c\n1,2,3\n")])


@pytest.mark.captures
def test_recorded_captures_are_recognised(shared_dir):
    folder = shared_dir / "data" / "binance_usdm"
    assert peek([folder / "raw_ws_BTCUSDT_20240718T235701Z_part1.jsonl.gz"]).symbol == "BTC/USDT:USDT"
    assert peek([folder / "raw_ws_ETHUSDT_20240718T235701Z_part1.jsonl.gz"]).symbol == "ETH/USDT:USDT"


@pytest.mark.parametrize(
    ("venue", "canonical"),
    [
        ("BTCUSDT", "BTC/USDT:USDT"),
        ("1000PEPEUSDC", "1000PEPE/USDC:USDC"),
        ("BTC/USDT:USDT", "BTC/USDT:USDT"),
        ("BTC/USDT", "BTC/USDT:USDT"),
    ],
)
def test_symbols_are_accepted_in_either_spelling(venue, canonical):
    assert canonical_symbol(venue) == canonical


def test_a_symbol_without_known_quote_is_refused():
    with pytest.raises(CliError, match="no quote currency"):
        canonical_symbol("BTCXYZ")
