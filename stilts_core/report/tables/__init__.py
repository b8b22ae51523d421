"""Tables of runs and grids as HTML, and their titles and formats."""
