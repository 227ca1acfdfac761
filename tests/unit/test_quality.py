"""What a line is worth to the ear."""

from __future__ import annotations

import pytest

from cti.quality import mos


@pytest.mark.parametrize(
    ("loss", "jitter_ms", "rtt_ms", "score"),
    [
        (0.0, 0, 0, 4.40),  # R 92.7: nothing to hear
        (0.01, 5, 40, 4.30),  # a common office line
        (0.05, 20, 100, 3.81),
        (0.0, 0, 800, 2.91),  # a satellite: delay alone
        (0.20, 60, 200, 1.99),
        (1.0, 0, 0, 1.0),
    ],
)
def test_a_lines_score_is_that_of_the_e_model(loss, jitter_ms, rtt_ms, score):
    assert mos(loss, jitter_ms, rtt_ms) == pytest.approx(score, abs=0.02)


def test_more_loss_jitter_or_delay_never_sounds_better():
    steps = [0.0, 0.01, 0.03, 0.1, 0.3, 1.0]
    assert sorted((mos(one, 0, 0) for one in steps), reverse=True) == [mos(one, 0, 0) for one in steps]
    assert mos(0.02, 10, 50) > mos(0.02, 10, 400)
    assert mos(0.02, 10, 50) > mos(0.02, 80, 50)
