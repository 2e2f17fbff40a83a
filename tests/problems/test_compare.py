"""A small comparison from end to end, stopped and gone on with."""

from __future__ import annotations

import csv
import json
import math
from typing import Any

import numpy as np
import pytest
import trimesh

from sasnet_sdf import PointCloud, TriangleMesh, compare, evaluate
from sasnet_sdf.comparison.compare import MODELS
from sasnet_sdf.comparison.protocols import BESIDE_MUON, RATES, best_rate, candidates
from sasnet_sdf.comparison.results import Budget
from sasnet_sdf.errors import Interrupted, UsageError
from sasnet_sdf.io import read_geometry
from sasnet_sdf.model_config import PUBLISHED
from sasnet_sdf.problems.settings import model_of
from sasnet_sdf.runtime.progress import Progress
from sasnet_sdf.signals import Grid, Signal

SMALL = {
    "budget": "parameters=20000,steps=12,batch=256",
    "resolution": 24,
    "samples": 2000,
    "settings": ["targets=4000"],
    "device": "cpu",
}
WORDS = ("sasnet", "siren:omega0=10", "pemlp")


@pytest.fixture(scope="module")
def sphere() -> PointCloud:
    points = np.random.default_rng(0).normal(size=(1500, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return PointCloud(points, points)


@pytest.fixture(scope="module")
def compared(sphere, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    said: list[Progress] = []
    numbers = compare(sphere, folder, models=WORDS, on_progress=said.append, **SMALL)
    return folder, numbers, said


def test_every_model_has_a_row_of_the_same_budget(compared):
    folder, numbers, _ = compared
    assert json.loads((folder / "results.json").read_text()) == json.loads(json.dumps(numbers.report))
    assert [row["model"] for row in numbers["rows"]] == list(WORDS)
    for row in numbers["rows"]:
        assert row["parameters"] == pytest.approx(20000, rel=0.02)
        assert row["steps"] == 12 and row["ms_per_step"] > 0 and row["ended_by"] == "steps"
        assert row["rate"] == model_of(row["model"]).rate
        assert row["held_out_error"] > 0 and len(row["history"]["losses"]) == 1
    sasnet, siren, _ = numbers["rows"]
    assert sasnet["engine"] == "compiled" and siren["engine"] == "torch"
    assert siren["settings"]["omega0"] == 10


def test_figures_are_those_of_evaluate(compared, sphere):
    folder, numbers, _ = compared
    row = next(row for row in numbers["rows"] if row["mesh"])
    found = evaluate(read_geometry(folder / row["mesh"]), sphere, samples=2000)
    # the file is in single precision
    assert row["error"] == pytest.approx(found["error"], rel=1e-3)
    assert row["normal_consistency"] == pytest.approx(found["normal_consistency"], abs=1e-3)


def test_tables_and_pictures(compared):
    folder, numbers, _ = compared
    for name in ("renders", "errors", "masks"):
        assert (folder / f"{name}.png").stat().st_size > 2000
    with (folder / "results.csv").open() as file:
        assert [row["model"] for row in csv.DictReader(file)] == list(WORDS)
    text = (folder / "results.md").read_text()
    assert "| siren:omega0=10 |" in text and "parameters 20,000" in text
    assert all((folder / row["field"]).exists() for row in numbers["rows"])


def test_progress_goes_through_all_models(compared):
    _, _, said = compared
    trained = [p for p in said if p.label]
    # a slow step is told by the clock as well, so a label may come more than once
    assert list(dict.fromkeys(p.label for p in trained if p.stage == "training" and p.step)) == list(WORDS)
    totals = [p.total for p in trained]
    assert totals == sorted(totals) and totals[-1] > 0.9 and max(totals) <= 1


def test_what_is_there_is_not_run_again(compared, sphere):
    folder, numbers, _ = compared
    again = compare(sphere, folder, models=(*WORDS, "gauss"), **SMALL)
    assert again["rows"][:3] == json.loads(json.dumps(numbers["rows"]))
    assert again["rows"][3]["model"] == "gauss"
    with pytest.raises(UsageError, match=r"another comparison \(other budget, settings\).*--overwrite"):
        compare(sphere, folder, models=WORDS, **{**SMALL, "budget": "parameters=20000,steps=13,batch=256"})


def test_stopping_keeps_the_models_that_are_done(sphere, tmp_path):
    def stop_at_the_second(progress: Progress) -> bool:
        return not (progress.part == 1 and progress.stage == "training")

    words = {**SMALL, "budget": "parameters=20000,steps=40,batch=256"}
    with pytest.raises(Interrupted, match="keeps the finished models"):
        compare(sphere, tmp_path, models=WORDS, on_progress=stop_at_the_second, **words)
    kept = json.loads((tmp_path / "results.json").read_text())
    assert [row["model"] for row in kept["rows"]] == ["sasnet"]
    whole = compare(sphere, tmp_path, models=WORDS, **words)
    assert [row["model"] for row in whole["rows"]] == list(WORDS)


@pytest.mark.parametrize(("protocol", "key"), [("adam", "rate"), ("muon", "muon_rate")])
def test_all_networks_get_the_same_optimizer_and_the_best_of_its_rates(sphere, tmp_path, protocol, key):
    said = []
    numbers = compare(
        sphere, tmp_path, models=["siren", "sasnet"], protocol=protocol, **SMALL, on_progress=said.append
    )
    assert {f"sasnet, rate {rate:g}" for rate in RATES[protocol]} < {p.label for p in said}
    for row in numbers["rows"]:
        (errors,) = row["rates"]
        assert [float(rate) for rate in errors] == list(RATES[protocol])
        assert row["held_out_error"] == min(errors.values()) == errors[f"{row[key]:g}"]
        assert row["optimizer"] == row["settings"]["optimizer"] == protocol
        assert row["rate"] == BESIDE_MUON["surface"] or protocol == "adam"


def test_rates_are_chosen_on_tuning_inputs(sphere, tmp_path):
    flat = sphere.points * (1, 1, 0.5)
    normals = flat / (1, 1, 0.25)
    ellipsoid = PointCloud(flat, normals / np.linalg.norm(normals, axis=1, keepdims=True))
    tuning = [ellipsoid, ellipsoid.select(np.arange(800))]
    numbers = compare(sphere, tmp_path, models=["siren"], protocol="adam", tuning=tuning, **SMALL)
    (row,) = numbers["rows"]
    assert len(row["rates"]) == len(numbers["run"]["tuning"]) == 2
    products = {rate: row["rates"][0][rate] * row["rates"][1][rate] for rate in row["rates"][0]}
    assert row["rate"] == float(min(products, key=lambda rate: products[rate]))
    alone = compare(tuning[0], tmp_path / "alone", models=["siren"], protocol="adam", **SMALL)
    assert alone["rows"][0]["rates"] == row["rates"][:1]
    with pytest.raises(UsageError, match="no rates to choose"):
        compare(sphere, tmp_path / "none", tuning=tuning, **SMALL)
    with pytest.raises(UsageError, match="of the same kind"):
        compare(
            sphere,
            tmp_path / "kinds",
            protocol="adam",
            tuning=[Signal(np.eye(8)[..., None], Grid.of_image(8, 8))],
            **SMALL,
        )


def test_the_product_of_errors_chooses_and_a_failed_rate_is_out():
    assert best_rate([{"1": 100.0, "2": 90.0}, {"1": 0.1, "2": 0.2}]) == "1"
    assert best_rate([{"1": 0.1, "2": 5.0}, {"1": None, "2": 5.0}]) == "2"
    assert best_rate([{"1": None}, {"1": 2.0}]) is None


def test_a_protocol_keeps_the_ratio_of_the_masks_rate():
    ours = PUBLISHED["sasnet"]
    for model in [*candidates(ours, "adam").values(), *candidates(ours, "muon").values()]:
        assert model.grid_rate / model.rate == pytest.approx(ours.grid_rate / ours.rate)
    assert {model.rate for model in candidates(ours, "muon", beside_muon=3e-3).values()} == {3e-3}
    assert candidates(ours, "published") == {f"{ours.rate:g}": ours}


def test_seeds_give_means_and_standard_deviations(sphere, tmp_path):
    image = Signal(np.random.default_rng(0).integers(0, 255, (24, 24, 1), np.uint8), Grid.of_image(24, 24))
    small: Any = {"models": ["siren"], "budget": "parameters=2000,steps=12,batch=256", "device": "cpu"}
    both = compare(image, tmp_path / "both", seeds=2, seed=4, **small)["rows"][0]
    one, other = (
        compare(image, tmp_path / f"{seed}", seed=seed, **small)["rows"][0]["psnr"] for seed in (4, 5)
    )
    assert one != other and both["psnr"] == pytest.approx((one + other) / 2)
    assert both["spread"]["psnr"] == pytest.approx(abs(one - other) / 2**0.5)
    assert "±" in (tmp_path / "both" / "results.md").read_text()


def test_poisson_joins_where_it_is_installed_and_says_so_where_it_is_not(sphere, tmp_path):
    numbers = compare(sphere, tmp_path, models=["poisson:depth=5"], **SMALL)
    (row,) = numbers["rows"]
    if not row["mesh"]:
        assert "pip install" in row["failure"]
        pytest.skip("neither Open3D nor PyMeshLab is installed")
    assert row["error"] < 200 and row["engine"] in ("open3d", "pymeshlab")


def test_the_supervision_is_the_ceiling(sphere, tmp_path):
    numbers = compare(sphere, tmp_path, models=["sasnet", "supervision"], **SMALL)
    network, ceiling = numbers["rows"]
    assert ceiling["mesh"] and not ceiling["field"] and ceiling["seconds"] > 0
    assert ceiling["error"] < 0.3 * network["error"] and ceiling["normal_consistency"] > 0.998


def test_a_reference_and_a_mesh_as_the_input(tmp_path):
    cube = trimesh.creation.box((1.0, 1.0, 1.0))
    mesh = TriangleMesh(np.asarray(cube.vertices), np.asarray(cube.faces, np.int64))
    large = TriangleMesh(2 * mesh.vertices, mesh.faces)
    numbers = compare(mesh, tmp_path, reference=large, models=["sasnet", "poisson"], **SMALL)
    (row,) = numbers["rows"]  # Poisson is made from points
    assert any("Poisson" in note for note in numbers["notes"])
    # half a side away, of a diagonal of 2 sqrt(3)
    assert row["mesh"] is None or row["error"] > 500
    assert row["sdf_error_near"] is None or row["sign_error_near"] > 0.2
    with pytest.raises(UsageError, match="no model left"):
        compare(mesh, tmp_path / "other", models=["poisson"], **SMALL)


def test_a_model_whose_loss_is_no_number_has_a_row_that_says_so(sphere, tmp_path):
    numbers = compare(
        sphere,
        tmp_path,
        models=["siren:rate=60000"],
        **{**SMALL, "budget": "parameters=2000,steps=40,batch=64"},
    )
    (row,) = numbers["rows"]
    assert "not a number" in row["failure"] and row["mesh"] is None
    assert "not a number" in (tmp_path / "results.md").read_text()


def test_another_input_of_the_same_name_is_another_comparison(sphere, tmp_path):
    compare(sphere, tmp_path, models=["siren"], **SMALL)
    moved = PointCloud(sphere.points + 1e-3, sphere.normals)
    with pytest.raises(UsageError, match=r"other content"):
        compare(moved, tmp_path, models=["siren"], **SMALL)


@pytest.mark.parametrize(
    "words, reason",
    [
        ({"settings": ["width=32"]}, "not --set width"),
        ({"settings": ["training.batch=32"]}, "not --set training.batch"),
        ({"steps": 5}, "unknown setting .steps."),
        ({"model": "siren"}, "unknown setting .model."),
        ({"models": ["poisson:depth=99"]}, "depth=1 to 14"),
        ({"models": ["poissonish"]}, "unknown model"),
    ],
)
def test_what_models_and_budget_decide_is_refused_elsewhere(sphere, tmp_path, words, reason):
    with pytest.raises(UsageError, match=reason):
        compare(sphere, tmp_path / "x", **{**SMALL, "models": ["siren"], **words})


@pytest.mark.parametrize(
    "words, expected",
    [
        ("", Budget()),
        ("parameters=own", Budget(parameters=None)),
        ("parameters=1000,steps=5,batch=7", Budget(1000, 5, None, 7)),
        ("seconds=2.5", Budget(steps=None, seconds=2.5)),
        ("seconds=2,steps=9", Budget(steps=9, seconds=2.0)),
    ],
)
def test_budgets(words, expected):
    assert Budget.of(words) == expected


@pytest.mark.parametrize(
    "words, reason",
    [
        ("epochs=3", "unknown part 'epochs=3'"),
        ("steps=many", "must be a number"),
        ("steps=0", "positive"),
        ("seconds=inf", "positive"),
    ],
)
def test_budgets_that_cannot_be(words, reason):
    with pytest.raises(UsageError, match=reason):
        Budget.of(words)


def test_the_clock_ends_training(sphere, tmp_path):
    budget = "parameters=2000,seconds=0.3,batch=64"
    (row,) = compare(sphere, tmp_path, models=["siren"], **{**SMALL, "budget": budget})["rows"]
    assert row["ended_by"] == "time" and row["seconds"] >= 0.3 and math.isfinite(row["held_out_error"])


def test_models_that_there_are_not_are_refused_before_any_work(sphere, tmp_path):
    with pytest.raises(UsageError, match="unknown model 'sirene'"):
        compare(sphere, tmp_path / "x", models=["sasnet", "sirene"], **SMALL)
    assert not (tmp_path / "x").exists()
    assert {words.split(":")[0] for words in MODELS} > {
        "sasnet",
        "siren",
        "supervision",
        "poisson",
        "tuner",
        "bacon",
    }
