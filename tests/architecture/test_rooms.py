"""The size of the rooms: a folder is small enough to be read in one look."""

from pathlib import Path

MAX_MODULES = 15


def test_no_folder_has_more_modules_than_one_look_takes_in(root: Path):
    folders = [path for path in [root / "taskmanager", *(root / "taskmanager").rglob("*")] if path.is_dir()]
    modules = {folder: [path for path in folder.glob("*.py") if path.stem != "__init__"] for folder in folders}
    found = {str(folder.relative_to(root)): len(names) for folder, names in modules.items() if len(names) > MAX_MODULES}
    assert found == {}
