"""The sweep: its plan, Snakemake with its profiles, and the warm process."""
