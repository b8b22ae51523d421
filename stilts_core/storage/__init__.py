"""Storage: files and folders that appear whole, locks between processes, the cache folder."""
