from stilts_core.laboratory.world.splits import split_of


def test_sixty_percent_of_the_meanings_are_for_training():
    parts = [split_of(("meaning", number)) for number in range(10_000)]
    assert [round(parts.count(split) / 10_000, 1) for split in ("train", "dev", "test")] == [0.6, 0.2, 0.2]
