"""The text of files, by which they are found; its rows belong to runs, as derived objects do."""

from __future__ import annotations

from django.db import models


class FileText(models.Model):
    """The text that a run has read in a file.

    Rows are written while the file is being processed, and count only once the file's run is
    theirs: see `timba.files.search`. When the file is settled, those of its other runs are deleted.
    """

    # The unique constraint begins with the file, so it serves as its index.
    file = models.ForeignKey(
        "files.File", on_delete=models.CASCADE, related_name="texts", db_index=False
    )
    run = models.PositiveIntegerField()
    # Whether the file has more text than is kept or found.
    is_cut = models.BooleanField(default=False)
    # See `timba.db.text_search.IndexedWords`; the index of the database is over `words`.
    exceeds_positions = models.BooleanField(default=False, editable=False)
    text = models.TextField(blank=True)
    words = models.TextField(blank=True, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["file", "run"], name="run_has_one_text"),
        ]

    def __str__(self) -> str:
        return f"text of {self.file_id}, run {self.run}"
