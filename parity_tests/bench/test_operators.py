"""The profile of docs/speed.md: whose time is counted, and that none of it is lost."""

import json

import pytest

from parity_tests.bench import operators

pytestmark = pytest.mark.usefixtures("memory_as_it_was")
SMALL = ["--frames", "2", "--size", "64x64", "--blocks", "1"]


@pytest.mark.parametrize("flags", [[], ["--plain"]], ids=["network", "plain"])
def test_shares_are_of_the_whole(flags, capsys):
    assert operators.main([*SMALL, *flags, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    rows = {name: (share, calls) for name, share, calls in found["operators"]}
    assert sum(share for share, _ in rows.values()) == pytest.approx(1) and found["seconds"] > 0
    shares = [share for share, _ in rows.values()][:-1]
    assert shares == sorted(shares, reverse=True) and shares[-1] >= operators.SMALLEST
    convolutions = [calls for name, (_, calls) in rows.items() if "conv" in name]
    # features 11, two trunks of 3, attention 1, upsampler 5, for two frames, the first of either direction without attention;
    # flow of two pairs at once in each of two directions, six levels of five
    assert max(convolutions) == (11 + 2 * (2 * 3) + 2 * 1 + 2 * 5) + 2 * 30


def test_the_table(capsys):
    operators.show({"seconds": 12.34, "operators": [["mkldnn_convolution", 0.75, 95], ["all others", 0.25, 1234]]})
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert shown[0][:2] == ["12.3", "s"]
    assert ["│", "mkldnn_convolution", "│", "75.0%", "│", "95", "│"] in shown and "25.0%" in shown[-2]


def test_a_size_that_is_none(capsys):
    assert operators.main(["--size", "180"]) == 2
    assert "rows x columns" in capsys.readouterr().err
