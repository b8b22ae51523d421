"""Analysis of a grid of records: comparable cells, differences between them, selection of a row, slopes."""
