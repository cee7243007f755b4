"""migrations/indexes.json has the indexes that a migrated database has, for `taskmanager doctor`.

`INDEXES_FILE=write` renews it.
"""

import json
import os

from migrations import runner
from workers.operations.doctor import INDEXES


def test_the_file_has_the_indexes_of_a_migrated_database(empty):
    runner.run(empty)
    names = [name for name in empty.list_collection_names() if not name.startswith(("system.", "x_"))]
    found = {name: sorted(empty[name].index_information()) for name in sorted(names)}
    found = {name: indexes for name, indexes in found.items() if len(indexes) > 1}
    if os.environ.get("INDEXES_FILE") == "write":
        INDEXES.write_text(json.dumps(found, indent=1) + "\n")
    assert json.loads(INDEXES.read_text()) == found
