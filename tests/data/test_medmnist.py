"""Known names: what is known of them, and which are refused before a file is sought."""

from pathlib import Path

import pytest

from zonas_edge.data import catalogue
from zonas_edge.data.load import dataset_names, load_dataset
from zonas_edge.errors import DatasetError, UsageError
from zonas_edge.space import TaskSpec

NOWHERE = Path("/nonexistent")


def test_the_catalogue_is_that_of_the_package_and_leaves_the_home_alone(
    home: Path,
) -> None:
    catalogue.catalogue.cache_clear()
    known = catalogue.catalogue()
    assert len(known) == 18
    assert known["breastmnist"].class_names == ("malignant", "normal, benign")
    assert known["organamnist"].class_names[10] == "spleen"
    assert known["pathmnist"].counts == (89_996, 10_004, 7_180)
    assert list(home.iterdir()) == []


def test_the_list_names_every_set_and_why_one_cannot_be_used() -> None:
    lines = {line.name: line for line in dataset_names()}
    usable = [name for name, line in lines.items() if line.obstacle is None]
    assert usable == [
        "digits",
        "pathmnist",
        "dermamnist",
        "octmnist",
        "pneumoniamnist",
        "retinamnist",
        "breastmnist",
        "bloodmnist",
        "tissuemnist",
        "organamnist",
        "organcmnist",
        "organsmnist",
    ]
    breast = lines["breastmnist"]
    assert (breast.channels, breast.classes, breast.train, breast.val, breast.test) == (
        1,
        2,
        546,
        78,
        156,
    )
    assert (breast.sides, breast.licence) == ((28, 64, 128, 224), "CC BY 4.0")


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        (
            "chestmnist",
            (
                "chestmnist: an image may have several labels (multi-label), only"
                " one can be used"
            ),
            "zonas-edge datasets list",
        ),
        (
            "nodulemnist3d_64",
            (
                "nodulemnist3d_64: its images are volumes (3-D), only flat images"
                " can be used"
            ),
            "zonas-edge datasets list",
        ),
        ("brestmnist", "brestmnist: unknown dataset", "did you mean breastmnist?"),
        ("BloodMNIST", "BloodMNIST: unknown dataset", "did you mean bloodmnist?"),
        (
            "organsmnist_65",
            "organsmnist_65: unknown dataset",
            "did you mean organsmnist_64?",
        ),
        ("digit", "digit: unknown dataset", "did you mean digits?"),
        ("xyz", "xyz: unknown dataset", "zonas-edge datasets list"),
        ("home", "home: unknown dataset", "did you mean ./home?"),
    ],
)
def test_an_unusable_name_is_refused_before_any_file_is_looked_for(
    name: str, message: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder does not exist, which would be another error."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        load_dataset(name, data_dir=NOWHERE)
    assert (str(caught.value), caught.value.hint) == (message, hint)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("organamnist", "left and right organs are different classes"),
        ("organsmnist_64", "left and right organs are different classes"),
        ("digits", "a mirrored figure is another shape"),
    ],
)
def test_a_set_whose_classes_have_a_side_is_never_mirrored(
    name: str, reason: str
) -> None:
    with pytest.raises(UsageError) as caught:
        load_dataset(name, flip=True, offline=True)
    assert str(caught.value) == f"{name}: can't be mirrored: {reason}"


def test_only_the_organ_sets_are_not_mirrored() -> None:
    known = catalogue.catalogue().values()
    still = [each.name for each in known if each.obstacle is None and not each.flip]
    assert still == ["organamnist", "organcmnist", "organsmnist"]


def test_dermamnist_warns_of_its_licence_and_its_leak() -> None:
    assert catalogue.catalogue()["dermamnist"].notes == (
        (
            "dermamnist is licensed CC BY-NC 4.0: no commercial use, of a model trained"
            " on it neither"
        ),
        (
            "dermamnist shows some lesions in both train and test, so test figures"
            " flatter (doi 10.1038/s41597-025-04382-5)"
        ),
    )
    others = [known for known in catalogue.catalogue().values() if known.notes]
    assert [known.name for known in others] == ["dermamnist"]


@pytest.mark.parametrize("name", ["breastmnist", "digits", "./own.npz"])
def test_a_data_dir_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(DatasetError) as caught:
        load_dataset(name, data_dir=NOWHERE)
    assert str(caught.value) == "--data-dir /nonexistent: no such folder"
    assert caught.value.hint == "make it first: mkdir -p /nonexistent"


def test_a_folder_of_the_environment_that_does_not_exist_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ZONAS_EDGE_DATA", str(NOWHERE))
    with pytest.raises(DatasetError) as caught:
        load_dataset("breastmnist")
    assert str(caught.value) == "ZONAS_EDGE_DATA=/nonexistent: no such folder"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("./nowhere", "./nowhere: no such file or directory"),
        ("nowhere.npz", "nowhere.npz: no such file or directory"),
        ("/dev/null", "/dev/null: neither a file nor a folder"),
        ("~nobody-here/x.npz", "~nobody-here/x.npz: no such user"),
        (f"./{'x' * 300}", f"./{'x' * 300}: file name too long"),
    ],
)
def test_a_path_that_leads_nowhere_is_a_dataset_error(
    source: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatasetError) as caught:
        load_dataset(source)
    assert (str(caught.value), caught.value.exit_code) == (message, 7)


def test_the_real_breast_set_is_read(medmnist_dir: Path) -> None:
    dataset = load_dataset("breastmnist", data_dir=medmnist_dir, offline=True)
    assert dataset.task == TaskSpec(1, 28, 28, 2)
    assert (len(dataset.train), len(dataset.val), dataset.test_count) == (546, 78, 156)
    assert dataset.class_names == ("malignant", "normal, benign")
    assert (dataset.flip, dataset.batch_size, dataset.licence) == (
        True,
        16,
        "CC BY 4.0",
    )
    assert dataset.notes == (
        (
            "identical images in two splits (train-val 0, train-test 1, val-test 0):"
            " figures on them flatter"
        ),
        "1 image is there under more than one class",
    )


def test_the_real_pneumonia_set_has_eight_train_images_in_val(
    medmnist_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZONAS_EDGE_DATA", str(medmnist_dir))
    dataset = load_dataset("pneumoniamnist")
    assert dataset.notes == (
        (
            "identical images in two splits (train-val 8, train-test 0, val-test 0):"
            " figures on them flatter"
        ),
        "images repeated in a split (val 0, test 3): intervals are too narrow",
    )
