"""Damaged files of every format: read into finite numbers, or refused in one line; never anything else."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sasnet_sdf.io.formats import extensions, suffix_of

SUFFIXES = sorted({e for e in extensions() if e not in (".jpeg", ".tiff", ".json")})
WORDS = [b"nan", b"-1", b"0", b"1e999", b"4000000000", b"9" * 30, b"", b"\n", b"\0", b'"', b"x"]

places = st.floats(0, 1, exclude_max=True)
edits = st.lists(
    st.one_of(
        st.tuples(st.just("byte"), places, st.integers(0, 255)),
        st.tuples(
            st.just("bytes"), places, st.sampled_from([1, 2, 4, 8]), st.sampled_from([0, 1, 127, 128, 255])
        ),
        st.tuples(st.just("cut"), places, st.integers(1, 40)),
        st.tuples(st.just("end"), places),
        st.tuples(st.just("word"), places, st.sampled_from(WORDS)),
    ),
    min_size=1,
    max_size=4,
)


def changed(content: bytes, changes: list) -> bytes:
    """The content after edits; half of the places lie in the first 200 bytes, where headers are."""
    for kind, place, *rest in changes:
        within = min(len(content), 200) if place < 0.5 else len(content)
        k = int((2 * place) % 1 * within)
        if kind == "byte":
            content = content[:k] + bytes(rest) + content[k + 1 :]
        elif kind == "bytes":
            content = content[:k] + bytes([rest[1]]) * rest[0] + content[k + rest[0] :]
        elif kind == "cut":
            content = content[:k] + content[k + rest[0] :]
        elif kind == "end":
            content = content[:k]
        else:
            # in place of the number or the word there
            end = k
            while end < len(content) and content[end : end + 1].isalnum():
                end += 1
            content = content[:k] + rest[0] + content[end:]
    return content


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_whole_files_are_read(fuzz, whole, suffix):
    files = [path for path in whole.iterdir() if suffix_of(path) == suffix]
    if not files:
        pytest.skip('pip install "sasnet-sdf[lidar,volumes]"')
    for path in files:
        assert fuzz.check.check(path)[0] >= 1, path.name


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_damaged_files(fuzz, whole, tmp_path, suffix):
    files = sorted(path for path in whole.iterdir() if suffix_of(path) == suffix)
    if not files:
        pytest.skip('pip install "sasnet-sdf[lidar,volumes]"')

    @settings(
        max_examples=40,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
    )
    @given(path=st.sampled_from(files), changes=edits)
    def holds(path, changes):
        damaged = tmp_path / path.name
        damaged.write_bytes(changed(path.read_bytes(), changes))
        fuzz.check.check(damaged)

    holds()
