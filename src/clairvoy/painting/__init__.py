"""Pictures painted stroke by stroke: shapes, their exact scores, the search for them, and files of what was painted."""
