"""Programs that no exercise may accept. They are never imported: `app.grading.always_wrong` sends their text as solutions.

Each runs alone on the standard library. `GIVEN` is filled in, an import from this folder becomes the text itself.
"""
